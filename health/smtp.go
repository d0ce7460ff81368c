package health

import (
	"bytes"
	"cmp"
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
func NewSMTP(cfg SMTPConfig) Check {
	return &smtpCheck{cfg: cfg, connector: newConnector(cfg.Connect)}
}

type smtpCheck struct {
	cfg       SMTPConfig
	connector connector
}

// Run makes one attempt.
func (s *smtpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	conn, err := s.cfg.Connect.open(ctx)
	if err != nil {
		return Result{Err: err, Took: time.Since(start)}
	}
	defer func() { _ = conn.Close() }()
	t := s.talk(0)
	r := t.result(converse(conn, t))
	r.Took = time.Since(start)
	return r
}

func (s *smtpCheck) way() *connector { return &s.connector }

func (s *smtpCheck) talk(int) dialogue {
	return &smtpTalk{turns: [...]smtpTurn{
		{"", "220", "greeting"},
		{"HELO " + s.cfg.HeloName, "250", "answer to HELO"},
		{"QUIT", "", "answer to QUIT"},
	}}
}

// smtpTurn is what is said, the code of the reply to it, "" for any, and what that is
// called.
type smtpTurn struct{ send, want, what string }

// smtpTalk is a greeting, HELO and QUIT.
type smtpTalk struct {
	turns [3]smtpTurn
	turn  int
	// heard is the beginning of a line, lines how many there were of the reply.
	heard []byte
	lines int
	// said is what was sent and heard, wrong what was not as it should be.
	said  []string
	wrong error
}

func (t *smtpTalk) begin() (say []byte, over bool) { return nil, false }

// What a reply measures at most: any line of RFC 5321 has 512 bytes at the most.
const (
	mostReplyLine  = 4 << 10
	mostReplyLines = 100
)

func (t *smtpTalk) hear(b []byte) (say []byte, over bool, err error) {
	t.heard = append(t.heard, b...)
	for {
		end := bytes.IndexByte(t.heard, '\n')
		switch {
		case end >= mostReplyLine || end < 0 && len(t.heard) >= mostReplyLine:
			return nil, false, fmt.Errorf("line longer than %d bytes", mostReplyLine)
		case end < 0:
			return nil, false, nil
		}
		line := strings.TrimRight(string(t.heard[:end]), "\r\n")
		t.heard = append(t.heard[:0], t.heard[end+1:]...)
		t.lines++
		switch more, wanted := reply(line, t.turns[t.turn].want); {
		case !wanted:
			t.wrong = fmt.Errorf("%s is %q, want %s", t.turns[t.turn].what, printable(line), t.turns[t.turn].want)
			t.note(line)
			return nil, true, nil
		case !more:
			t.note(line)
			return t.next()
		case t.lines == mostReplyLines:
			return nil, false, fmt.Errorf("reply of more than %d lines", mostReplyLines)
		}
	}
}

// note keeps a line that was heard.
func (t *smtpTalk) note(line string) {
	if line != "" {
		t.said = append(t.said, "-> "+printable(line))
	}
}

// next begins the next turn.
func (t *smtpTalk) next() (say []byte, over bool, err error) {
	if t.turn++; t.turn == len(t.turns) {
		return nil, true, nil
	}
	// What was said unasked answers nothing.
	t.heard, t.lines = t.heard[:0], 0
	send := t.turns[t.turn].send
	t.said = append(t.said, send)
	return []byte(send + "\r\n"), false, nil
}

// reply says of a line whether it belongs to a reply with the code, and whether more
// of it follow. Without a code any line is one.
func reply(line, code string) (more, wanted bool) {
	rest, ok := strings.CutPrefix(line, code)
	switch {
	case code == "":
		return false, true
	case !ok || rest != "" && rest[0] != ' ' && rest[0] != '-':
		return false, false
	}
	return rest != "" && rest[0] == '-', true
}

func (t *smtpTalk) ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("connection closed")
	}
	return err
}

func (t *smtpTalk) names() (sending, hearing string) {
	turn := t.turns[min(t.turn, len(t.turns)-1)]
	return "send " + turn.send, "read " + turn.what
}

func (t *smtpTalk) result(err error) Result {
	return Result{Err: cmp.Or(err, t.wrong), Transcript: strings.Join(t.said, "; ")}
}

// Target is the address that is connected to.
func (s *smtpCheck) Target() string { return s.cfg.Connect.name() }

// String names the check for logs.
func (s *smtpCheck) String() string { return "SMTP_CHECK " + s.cfg.Connect.name() }

// Limit is the most that an attempt may last.
func (s *smtpCheck) Limit() time.Duration { return s.cfg.Connect.exchangeLimit() }
