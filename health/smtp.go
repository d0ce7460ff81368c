package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// SMTPConfig is an SMTP_CHECK.
type SMTPConfig struct {
	Connect Connect
	// HeloName is what this host calls itself.
	HeloName string
}

// NewSMTP returns SMTP_CHECK: the greeting must be 220 and the answer to HELO
// 250; then any line in answer to QUIT will do. Replies of several lines, and
// of a code alone, are replies as RFC 5321 section 4.2 has it, which keepalived
// refuses.
func NewSMTP(cfg SMTPConfig) Check { return smtpCheck{cfg} }

type smtpCheck struct{ cfg SMTPConfig }

// Run makes one attempt.
func (s smtpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	d, err := s.converse(ctx)
	return Result{Err: err, Transcript: strings.Join(d, "; "), Took: time.Since(start)}
}

// smtpReader is large enough for any line of RFC 5321, where 512 is the most.
const smtpReader = 4 << 10

// converse says what was sent and heard.
func (s smtpCheck) converse(ctx context.Context) (said []string, err error) {
	conn, err := s.cfg.Connect.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, smtpReader)
	for _, turn := range []struct{ send, want, what string }{
		{"", "220", "greeting"},
		{"HELO " + s.cfg.HeloName, "250", "answer to HELO"},
		{"QUIT", "", "answer to QUIT"},
	} {
		if turn.send != "" {
			// What was said unasked answers nothing.
			r.Reset(conn)
			said = append(said, turn.send)
			if _, err := io.WriteString(conn, turn.send+"\r\n"); err != nil {
				return said, conn.explain("send "+turn.send, err)
			}
		}
		line, err := readReply(r, turn.want)
		if line != "" {
			said = append(said, "-> "+printable(line))
		}
		if errors.Is(err, errReply) {
			return said, fmt.Errorf("%s is %q, want %s", turn.what, printable(line), turn.want)
		}
		if err != nil {
			return said, conn.explain("read "+turn.what, err)
		}
	}
	return said, nil
}

var errReply = errors.New("not the reply that is wanted")

// mostReplyLines bounds a reply.
const mostReplyLines = 100

// readReply reads a reply and returns its last line, or that which is not part
// of a reply with the code. Without a code any line is one.
func readReply(r *bufio.Reader, code string) (string, error) {
	for range mostReplyLines {
		b, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return "", fmt.Errorf("line longer than %d bytes", smtpReader)
		}
		if errors.Is(err, io.EOF) {
			return "", errors.New("connection closed")
		}
		if err != nil {
			return "", err
		}
		line := strings.TrimRight(string(b), "\r\n")
		rest, ok := strings.CutPrefix(line, code)
		switch {
		case code == "":
			return line, nil
		case !ok || rest != "" && rest[0] != ' ' && rest[0] != '-':
			return line, errReply
		case rest == "" || rest[0] == ' ':
			return line, nil
		}
	}
	return "", fmt.Errorf("reply of more than %d lines", mostReplyLines)
}

// Target is the address that is connected to.
func (s smtpCheck) Target() string { return s.cfg.Connect.name() }

// String names the check for logs.
func (s smtpCheck) String() string { return "SMTP_CHECK " + s.cfg.Connect.name() }

// Limit is the most that an attempt may last.
func (s smtpCheck) Limit() time.Duration { return s.cfg.Connect.exchangeLimit() }
