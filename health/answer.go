package health

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What an answer may measure at most.
const (
	maxHeader = 64 << 10
	maxBody   = 64 << 20
)

// buffers lends what answers are read into.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// answer is what a server sent to a request, read to the end of the
// connection. Only that end ends it: keepalived, too, fails a server that has
// sent all of its Content-Length and then keeps the connection. Transfer
// encodings are not decoded.
type answer struct {
	// hash wants the digest of the body, keep the body itself, as far as it is
	// searched.
	hash, keep bool
	// resets has a reset behind the header end the answer as a farewell does.
	resets bool
	header []byte
	text   []byte
	// headed is set behind the header.
	headed bool
	// line and status are of the status line.
	line   string
	status int
	// length is the Content-Length, -1 without one; body is what came.
	length, body int64
	md5          hash.Hash
	digest       string
}

// read takes the answer off the stream.
func (a *answer) read(r io.Reader) error {
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := r.Read(buf[:])
		if err := a.take(buf[:n]); err != nil {
			return err
		}
		if err != nil {
			return a.end(err)
		}
	}
}

// take takes a part of the answer.
func (a *answer) take(b []byte) error {
	if !a.headed {
		rest, done := a.addHeader(b)
		if !done {
			if len(a.header) > maxHeader {
				return fmt.Errorf("header longer than %d bytes", maxHeader)
			}
			return nil
		}
		a.headed = true
		if err := a.parseHeader(); err != nil {
			return err
		}
		b = rest
	}
	a.addBody(b)
	if a.body > maxBody {
		return fmt.Errorf("body longer than %d bytes", int64(maxBody))
	}
	return nil
}

// end is told of the end of the stream: nil where it is that of the answer, too. A
// server that closes without TLS's own farewell has ended all the same, and so has
// one that resets where resets end an answer.
func (a *answer) end(err error) error {
	switch {
	case a.resets && a.headed && errors.Is(err, unix.ECONNRESET):
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case !a.headed && len(a.header) == 0:
		return errors.New("connection closed without an answer")
	case !a.headed:
		return errors.New("connection closed within the header")
	}
	if a.hash {
		a.digest = hex.EncodeToString(a.digester().Sum(nil))
	}
	return nil
}

// digester makes the digest of the body.
func (a *answer) digester() hash.Hash {
	if a.md5 == nil {
		a.md5 = md5.New()
	}
	return a.md5
}

// addHeader takes what belongs to the header and returns the rest, and whether
// the header has ended.
func (a *answer) addHeader(b []byte) ([]byte, bool) {
	from := max(len(a.header)-3, 0)
	a.header = append(a.header, b...)
	i := bytes.Index(a.header[from:], []byte("\r\n\r\n"))
	if i < 0 {
		return nil, false
	}
	end := from + i + 4
	rest := len(a.header) - end
	a.header = a.header[:end]
	return b[len(b)-rest:], true
}

// parseHeader reads the status line and the Content-Length.
func (a *answer) parseHeader() error {
	line, _, _ := strings.Cut(string(a.header), "\r\n")
	a.line = printable(line)
	version, after, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(after, " ")
	status, err := strconv.Atoi(code)
	// Any word will do for the version, as it does for keepalived: streams of
	// music say ICY.
	if version == "" || err != nil || len(code) != 3 || status < 100 {
		return fmt.Errorf("not a status line: %q", a.line)
	}
	a.status, a.length = status, -1
	for name, value := range a.fields() {
		if strings.EqualFold(name, "Content-Length") {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				a.length = n
			}
		}
	}
	return nil
}

// addBody counts b, and hashes of it what the Content-Length covers.
func (a *answer) addBody(b []byte) {
	covered := b
	if a.length >= 0 {
		covered = b[:min(int64(len(b)), max(a.length-a.body, 0))]
	}
	if a.hash {
		_, _ = a.digester().Write(covered)
	}
	if a.keep {
		a.text = append(a.text, b[:min(len(b), maxSearched-len(a.text))]...)
	}
	a.body += int64(len(b))
}

// judge compares the answer with what the url wants.
func (a *answer) judge(url HTTPURL) error {
	want := url.Status
	if len(want) == 0 {
		want = []StatusRange{{200, 299}}
	}
	accepted := false
	for _, r := range want {
		accepted = accepted || a.status >= r.First && a.status <= r.Last
	}
	if !accepted {
		names := make([]string, len(want))
		for i, r := range want {
			names[i] = r.String()
		}
		return fmt.Errorf("status %d, want %s", a.status, strings.Join(names, " "))
	}
	if url.Digest != "" && !strings.EqualFold(url.Digest, a.digest) {
		return fmt.Errorf("md5 digest %s, want %s", a.digest, strings.ToLower(url.Digest))
	}
	if url.Regex != nil {
		if err := url.Regex.judge(a.text); err != nil {
			return err
		}
	}
	for _, want := range url.Want {
		if err := a.judgeField(want); err != nil {
			return err
		}
	}
	return nil
}

// judgeField looks for a field of the header.
func (a *answer) judgeField(want HTTPWant) error {
	err := fmt.Errorf("no header field %s", want.Name)
	for name, value := range a.fields() {
		if !strings.EqualFold(name, want.Name) {
			continue
		}
		if want.Regex == nil {
			return nil
		}
		if err = want.Regex.judge([]byte(value)); err == nil {
			return nil
		}
		err = fmt.Errorf("header field %s: %w", want.Name, err)
	}
	return err
}

// fields are the fields of the header with their values.
func (a *answer) fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		_, rest, _ := strings.Cut(string(a.header), "\r\n")
		for field := range strings.SplitSeq(rest, "\r\n") {
			name, value, ok := strings.Cut(field, ":")
			if ok && !yield(name, strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// transcript tells what was asked and answered.
func (a *answer) transcript(request string) string {
	s := request
	if a.line != "" {
		s += " -> " + a.line + fmt.Sprintf(", %d bytes", a.body)
		if a.length >= 0 && a.length != a.body {
			s += fmt.Sprintf(" of %d", a.length)
		}
	}
	if a.digest != "" {
		s += ", md5 " + a.digest
	}
	return s
}

// printable cuts a line from the network to what may be shown.
func printable(s string) string {
	s = s[:min(len(s), 200)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
