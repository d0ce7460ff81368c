package health

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// flagged answers a query with its own bytes, other flags and an identifier so
// much higher.
func flagged(flags, higher uint16) func([]byte) []byte {
	return func(b []byte) []byte {
		out := append([]byte(nil), b...)
		binary.BigEndian.PutUint16(out, binary.BigEndian.Uint16(b)+higher)
		binary.BigEndian.PutUint16(out[2:], flags)
		return out
	}
}

// Section 8: the query, as keepalived 2.2.7 sent it to a socket, but for its
// identifier.
func TestDNSQuery(t *testing.T) {
	for _, tt := range []struct{ kind, name, want string }{
		{"", "", "01000001000000000000" + "00" + "00060001"},
		{"SOA", ".", "01000001000000000000" + "00" + "00060001"},
		{"A", "www.example.com", "01000001000000000000" + "03777777076578616d706c6503636f6d00" + "00010001"},
		{"TXT", "example.com.", "01000001000000000000" + "076578616d706c6503636f6d00" + "00100001"},
		{"RRSIG", "example.com.", "01000001000000000000" + "076578616d706c6503636f6d00" + "002e0001"},
	} {
		var ids []string
		got := make(chan string, 2)
		cfg := DNSConfig{Name: tt.name, Connect: answerUDP(t, func(b []byte) [][]byte {
			got <- hex.EncodeToString(b)
			return [][]byte{flagged(0x8180, 0)(b)}
		})}
		if tt.kind != "" {
			var ok bool
			if cfg.Type, ok = DNSType(strings.ToLower(tt.kind)); !ok {
				t.Fatalf("no type %s", tt.kind)
			}
		}
		c, err := NewDNS(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			wantErr(t, c.Run(t.Context()).Err, "")
			query := <-got
			ids = append(ids, query[:4])
			if query[4:] != tt.want {
				t.Errorf("%s %s: sent %s, want %s", tt.kind, tt.name, query[4:], tt.want)
			}
		}
		if ids[0] == ids[1] {
			t.Logf("both queries have the identifier %s", ids[0])
		}
	}
}

// Section 8: the verdicts of keepalived 2.2.7.
func TestDNSAnswers(t *testing.T) {
	const none = "no reply from 127.0.0.1:*: timed out after 1s"
	good := flagged(0x8180, 0)
	tests := []struct {
		name   string
		answer func([]byte) [][]byte
		err    string
	}{
		{"good", func(b []byte) [][]byte { return [][]byte{good(b)} }, ""},
		{"header alone", func(b []byte) [][]byte { return [][]byte{good(b)[:12]} }, ""},
		{"truncated", func(b []byte) [][]byte { return [][]byte{flagged(0x8380, 0)(b)} }, ""},
		{"another question", func(b []byte) [][]byte { return [][]byte{append(good(b)[:12], "\x01a\x00\x00\x01\x00\x01"...)} }, ""},
		{"large", func(b []byte) [][]byte { return [][]byte{append(good(b), make([]byte, 1500)...)} }, ""},
		{"noise before the answer", func(b []byte) [][]byte {
			return [][]byte{[]byte("xx"), flagged(0x8183, 1)(b), flagged(0x0103, 0)(b), good(b)}
		}, ""},
		{"no such domain", func(b []byte) [][]byte { return [][]byte{flagged(0x8183, 0)(b)} }, "rcode 3 (NameError)"},
		{"refused", func(b []byte) [][]byte { return [][]byte{flagged(0x8185, 0)(b)} }, "rcode 5 (Refused)"},
		{"another identifier", func(b []byte) [][]byte { return [][]byte{flagged(0x8180, 1)(b)} }, none},
		{"not a response", func(b []byte) [][]byte { return [][]byte{flagged(0x0100, 0)(b)} }, none},
		{"shorter than a header", func(b []byte) [][]byte { return [][]byte{good(b)[:11]} }, none},
		{"silence", func([]byte) [][]byte { return nil }, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := DNSConfig{Connect: answerUDP(t, tt.answer)}
			if tt.err == none {
				cfg.Connect.Timeout = brief
			}
			c, err := NewDNS(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := c.Run(t.Context())
			wantErr(t, r.Err, tt.err)
			if r.Took <= 0 || !strings.Contains(r.Transcript, "SOA .") {
				t.Errorf("result %+v", r)
			}
		})
	}
	c, err := NewDNS(DNSConfig{Connect: closedUDP(t)})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Run(t.Context()); r.Err == nil || !strings.HasSuffix(r.Err.Error(), "connection refused") {
		t.Errorf("error %v", r.Err)
	}
}

func TestDNSNames(t *testing.T) {
	for _, name := range []string{"a..b", strings.Repeat("a", 64), strings.Repeat("a.", 200)} {
		if _, err := NewDNS(DNSConfig{Name: name}); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
	// For keepalived 2.2.7 a first label of one letter is empty.
	for _, name := range []string{"x.example", "*.example.com.", "."} {
		if _, err := NewDNS(DNSConfig{Name: name}); err != nil {
			t.Error(err)
		}
	}
	for _, kind := range []string{"A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"} {
		if n, ok := DNSType(kind); !ok || n == 0 {
			t.Errorf("no type %s", kind)
		}
	}
	if _, ok := DNSType("PTR"); ok {
		t.Error("keepalived knows no type PTR")
	}
}
