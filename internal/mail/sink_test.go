package mail

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a relay that takes everything, or answers a line as it is told to.
type sink struct {
	t    *testing.T
	addr netip.AddrPort
	l    net.Listener

	mu sync.Mutex
	// answer overrides the answer to a line; "" is the usual one, "drop" ends
	// the connection, "hang" answers nothing.
	answer      func(line string) string
	connections int
	lines       []string // commands, and messages as one line each
	open        map[net.Conn]bool
	done        sync.WaitGroup
}

func newSink(t *testing.T, addr string) *sink {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{t: t, l: l, addr: netip.MustParseAddrPort(l.Addr().String()), open: map[net.Conn]bool{}}
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.connections++
			s.open[c] = true
			s.mu.Unlock()
			s.done.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(s.close)
	return s
}

func (s *sink) close() {
	s.l.Close()
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(line string) bool {
		s.mu.Lock()
		answer := ""
		if s.answer != nil {
			answer = s.answer(line)
		}
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		usual := map[string]string{"greeting": "220 relay", "DATA": "354 go on", "QUIT": "221 bye"}[verb]
		switch answer {
		case "drop":
			return false
		case "hang":
			_, _ = r.ReadByte()
			return false
		case "":
			if answer = usual; answer == "" {
				answer = "250 yes"
			}
		}
		_, err := fmt.Fprintf(c, "%s\r\n", answer)
		return err == nil && !strings.HasPrefix(answer, "221") && (verb != "DATA" || !strings.HasPrefix(answer, "354") || s.message(r, c))
	}
	if !say("greeting") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil || !say(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

// message reads what follows DATA.
func (s *sink) message(r *bufio.Reader, c net.Conn) bool {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	s.mu.Lock()
	s.lines = append(s.lines, "message:"+text.String())
	s.mu.Unlock()
	_, err := fmt.Fprint(c, "250 taken\r\n")
	return err == nil
}

// said are the lines so far.
func (s *sink) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

func (s *sink) answering(f func(line string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// messages are the subjects of what was taken.
func (s *sink) messages() []string {
	var out []string
	for _, l := range s.said() {
		if rest, ok := strings.CutPrefix(l, "message:"); ok {
			_, rest, _ = strings.Cut(rest, "Subject: ")
			subject, _, _ := strings.Cut(rest, "\r\n")
			out = append(out, subject)
		}
	}
	return out
}

func (s *sink) relay() Relay {
	return Relay{Server: s.addr.Addr().String(), Port: s.addr.Port(), HELO: "lb1.example", From: "lb@example.com",
		To: []string{"a@example.com", "b@example.com"}, Timeout: time.Minute}
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
