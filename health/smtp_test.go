package health

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// mailServer greets, and answers each line with the next of its replies; after
// the last it closes, or with an empty one falls silent.
func mailServer(t *testing.T, heard chan<- string, replies ...string) Connect {
	return listen(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		for i, reply := range replies {
			if i > 0 {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				heard <- line
			}
			if reply == "" {
				drain(c)
				return
			}
			for piece := range strings.SplitSeq(reply, "|") {
				_, _ = io.WriteString(c, piece)
			}
		}
		if line, err := r.ReadString('\n'); err == nil {
			heard <- line
		}
	})
}

// Section 8: what keepalived 2.2.7 said to a listener, and its verdict on each
// answer; those marked with * are good for tandem alone.
func TestSMTP(t *testing.T) {
	const both = "HELO lb.example.com\r\nQUIT\r\n"
	const helo = "HELO lb.example.com\r\n"
	tests := []struct {
		name    string
		replies []string
		heard   string
		err     string
	}{
		{"good", []string{"220 hi\r\n", "250 ok\r\n", "221 bye\r\n"}, both, ""},
		{"in pieces", []string{"22|0 h|i\r|\n", "250| ok\r\n", "221 x\r\n"}, both, ""},
		{"bare line feeds", []string{"220 hi\n", "250 ok\n", "221 bye\n"}, both, ""},
		{"any answer to QUIT", []string{"220 hi\r\n", "250 ok\r\n", "junk\r\n"}, both, ""},
		{"an answer before the question", []string{"220 hi\r\n250 early\r\n", "250 ok\r\n", "221 bye\r\n"}, both, ""},
		{"a refusal after it", []string{"220 hi\r\n250 early\r\n", "550 no\r\n"}, helo, `answer to HELO is "550 no", want 250`},
		{"more than a greeting", []string{"220 hi\r\nwelcome\r\n", "250 ok\r\n", "221 bye\r\n"}, both, ""},
		{"* greeting of several lines", []string{"220-hi\r\n220-there\r\n220 x\r\n", "250 ok\r\n", "221 bye\r\n"}, both, ""},
		{"* HELO of several lines", []string{"220 hi\r\n", "250-ok\r\n250 ok\r\n", "221 bye\r\n"}, both, ""},
		{"* codes alone", []string{"220\r\n", "250\r\n", "221\r\n"}, both, ""},
		{"refused", []string{"554 no\r\n"}, "", `greeting is "554 no", want 220`},
		{"wrong code", []string{"250 hi\r\n"}, "", `greeting is "250 hi", want 220`},
		{"no blank", []string{"220hello\r\n"}, "", `greeting is "220hello", want 220`},
		{"two codes in one reply", []string{"220-hi\r\n250 hi\r\n"}, "", `greeting is "250 hi", want 220`},
		{"HELO refused", []string{"220 hi\r\n", "501 no\r\n"}, helo, `answer to HELO is "501 no", want 250`},
		{"HELO greeted", []string{"220 hi\r\n", "220 ok\r\n"}, helo, `answer to HELO is "220 ok", want 250`},
		{"closed", []string{"220 hi\r\n", "250 ok\r\n"}, both, "read answer to QUIT from 127.0.0.1:*: connection closed"},
		{"silent greeting", []string{""}, "", "read greeting from 127.0.0.1:*: timed out after 1s"},
		{"silent after QUIT", []string{"220 hi\r\n", "250 ok\r\n", ""}, both, "read answer to QUIT from 127.0.0.1:*: timed out after 1s"},
		{"half a line", []string{"220 hi\r\n", "250 ok\r\n", "221 bye|"}, both, "read answer to QUIT from 127.0.0.1:*: timed out after 1s"},
		{"a line without end", []string{strings.Repeat("x", 10000)}, "", "read greeting from 127.0.0.1:*: line longer than 4096 bytes"},
		{"a reply without end", []string{strings.Repeat("220-x\r\n", 200)}, "", "read greeting from 127.0.0.1:*: reply of more than 100 lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, run := range ways(t) {
				heard := make(chan string, 10)
				c := mailServer(t, heard, tt.replies...)
				if strings.Contains(tt.err, "timed out") {
					c.Timeout = brief
				}
				r := run(t.Context(), NewSMTP(SMTPConfig{Connect: c, HeloName: "lb.example.com"}))
				wantErr(t, r.Err, tt.err)
				var got string
				for len(got) < len(tt.heard) {
					select {
					case line := <-heard:
						got += line
					case <-time.After(ample):
						t.Fatalf("heard %q, want %q", got, tt.heard)
					}
				}
				if got != tt.heard || r.Took <= 0 {
					t.Errorf("heard %q, want %q; took %s", got, tt.heard, r.Took)
				}
			}
		})
	}
	refused := closedPort(t)
	for _, run := range ways(t) {
		r := run(t.Context(), NewSMTP(SMTPConfig{Connect: refused}))
		wantErr(t, r.Err, "connect "+refused.remote().String()+": connection refused")
	}
}

func TestSMTPTranscript(t *testing.T) {
	c := mailServer(t, make(chan string, 10), "220 hi\r\n", "250 ok\r\n", "221 bye\r\n")
	r := NewSMTP(SMTPConfig{Connect: c, HeloName: "x"}).Run(t.Context())
	if want := "-> 220 hi; HELO x; -> 250 ok; QUIT; -> 221 bye"; r.Transcript != want {
		t.Errorf("transcript %q, want %q", r.Transcript, want)
	}
	s := NewSMTP(SMTPConfig{Connect: Connect{Addr: netip.MustParseAddr("192.0.2.1"), Port: 25}})
	if s.String() != "SMTP_CHECK [192.0.2.1]:tcp:25" || target(s) != "[192.0.2.1]:tcp:25" {
		t.Error(s)
	}
}
