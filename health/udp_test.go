package health

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// answerUDP gives every datagram to answer, and sends what that returns.
func answerUDP(t *testing.T, answer func([]byte) [][]byte) Connect {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			for _, b := range answer(append([]byte(nil), buf[:n]...)) {
				_, _ = conn.WriteToUDPAddrPort(b, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return Connect{Addr: at.Addr().Unmap(), Port: at.Port(), Timeout: ample}
}

// closedUDP is a loopback port that answers with port unreachable: whoever has it
// hears another port alone.
func closedUDP(t *testing.T) Connect {
	t.Helper()
	fd, port := bound(t, unix.SOCK_DGRAM)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1}); err != nil {
		t.Fatal(err)
	}
	return Connect{Addr: netip.MustParseAddr("127.0.0.1"), Port: port, Timeout: ample}
}

// pattern reads bytes of two hexadecimal digits each, X for any digit.
func pattern(t *testing.T, text string) []PatternByte {
	t.Helper()
	nibble := func(c byte) (value, mask byte) {
		if c == 'X' || c == 'x' {
			return 0, 0
		}
		n, err := strconv.ParseUint(string(c), 16, 4)
		if err != nil {
			t.Fatal(err)
		}
		return byte(n), 0xf
	}
	var out []PatternByte
	digits := strings.ReplaceAll(text, " ", "")
	for i := 0; i < len(digits); i += 2 {
		high, highMask := nibble(digits[i])
		low, lowMask := nibble(digits[i+1])
		out = append(out, PatternByte{Value: high<<4 | low, Mask: highMask<<4 | lowMask})
	}
	return out
}

// Section 8: the datagram and the verdicts of keepalived 2.2.7 on each reply.
func TestUDP(t *testing.T) {
	const own = "keepalived check - keepalived ch"
	long := strings.Repeat("x", 300)
	tests := []struct {
		name    string
		cfg     UDPConfig
		reply   []string // none for silence
		sent    string
		err     string
		pattern string
	}{
		{name: "silence is success", sent: own},
		{name: "any reply is success", reply: []string{long}, sent: own},
		{name: "an empty reply is success", reply: []string{""}, sent: own},
		{name: "payload", cfg: UDPConfig{Payload: []byte("hello")}, sent: "hello"},
		{name: "empty payload", cfg: UDPConfig{Payload: []byte{}}, sent: ""},
		{name: "lengths count with a pattern alone", cfg: UDPConfig{MinLength: 10}, reply: []string{"abc"}, sent: own},
		{name: "reply required, silence", cfg: UDPConfig{RequireReply: true}, sent: own, err: "no reply from 127.0.0.1:*: timed out after 1s"},
		{name: "reply required, any", cfg: UDPConfig{RequireReply: true}, reply: []string{"anything"}, sent: own},
		{name: "reply required, empty", cfg: UDPConfig{RequireReply: true}, reply: []string{""}, sent: own},
		{name: "reply required, long", cfg: UDPConfig{RequireReply: true, MaxLength: 255}, reply: []string{long}, sent: own},
		{name: "reply required, short", cfg: UDPConfig{RequireReply: true, MinLength: 10}, reply: []string{"abc"}, sent: own},
		{name: "pattern", pattern: "61 62 XX", reply: []string{"abc"}, sent: own},
		{name: "wild digits", pattern: "6X X2 xx", reply: []string{"abc"}, sent: own},
		{name: "longer than the pattern", pattern: "6162", reply: []string{"abcdef"}, sent: own},
		{name: "shorter than the pattern", pattern: "61626364", reply: []string{"ab"}, sent: own},
		{name: "mismatch", pattern: "6162", reply: []string{"xb"}, sent: own, err: "reply data mismatch at byte 0: 78"},
		{name: "wild digit mismatch", pattern: "6X72", reply: []string{"ab"}, sent: own, err: "reply data mismatch at byte 1: 62"},
		{name: "the first reply decides", pattern: "6162", reply: []string{"xb", "ab"}, sent: own, err: "reply data mismatch at byte 0: 78"},
		{name: "too long", cfg: UDPConfig{MaxLength: 4}, pattern: "6162", reply: []string{"abcdef"}, sent: own, err: "reply data mismatch: 6 bytes, want 0 to 4"},
		{name: "too short", cfg: UDPConfig{MinLength: 4}, pattern: "6162", reply: []string{"abc"}, sent: own, err: "reply data mismatch: 3 bytes, want 4 to 255"},
		{name: "too long by default", pattern: "78", reply: []string{long}, sent: own, err: "reply data mismatch: 300 bytes, want 0 to 255"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 10)
			tt.cfg.Connect = answerUDP(t, func(b []byte) [][]byte {
				got <- string(b)
				var out [][]byte
				for _, r := range tt.reply {
					out = append(out, []byte(r))
				}
				return out
			})
			if len(tt.reply) == 0 {
				tt.cfg.Connect.Timeout = brief
			}
			if tt.pattern != "" {
				tt.cfg.RequireReply, tt.cfg.Reply = true, pattern(t, tt.pattern)
			}
			if tt.cfg.MaxLength == 0 {
				tt.cfg.MaxLength = 255
			}
			r := NewUDP(tt.cfg).Run(t.Context())
			wantErr(t, r.Err, tt.err)
			if sent := <-got; sent != tt.sent {
				t.Errorf("sent %q, want %q", sent, tt.sent)
			}
			if r.Took <= 0 || !strings.HasPrefix(r.Transcript, "sent ") {
				t.Errorf("result %+v", r)
			}
		})
	}
}

// An ICMP error is a failure, whether or not a reply is wanted.
func TestUDPUnreachable(t *testing.T) {
	for _, require := range []bool{false, true} {
		c := closedUDP(t)
		r := NewUDP(UDPConfig{Connect: c, RequireReply: require}).Run(t.Context())
		wantErr(t, r.Err, "receive from "+c.remote().String()+": read: connection refused")
	}
}

// The end of the context is not the silence that is success.
func TestUDPCancel(t *testing.T) {
	c := answerUDP(t, func([]byte) [][]byte { return nil })
	c.Timeout = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if r := NewUDP(UDPConfig{Connect: c}).Run(ctx); !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("error %v", r.Err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %s", took)
	}
}

// The near end is as configured; what is missing here is not the server's fault.
func TestUDPBind(t *testing.T) {
	c := answerUDP(t, func(b []byte) [][]byte { return [][]byte{b} })
	c.BindAddr, c.BindInterface = netip.MustParseAddr("127.0.0.2"), "lo"
	wantErr(t, NewUDP(UDPConfig{Connect: c, RequireReply: true}).Run(t.Context()).Err, "")
	c.BindAddr = netip.MustParseAddr("203.0.113.9")
	r := NewUDP(UDPConfig{Connect: c}).Run(t.Context())
	if !errors.Is(r.Err, ErrNotAttempted) || !errors.Is(r.Err, unix.EADDRNOTAVAIL) {
		t.Errorf("error %v", r.Err)
	}
}
