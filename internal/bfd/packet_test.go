package bfd

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// seen are packets that keepalived and FRR sent, and what tcpdump says of them.
var seen = map[string]struct {
	bytes  []byte
	packet Packet
}{
	"keepalived, down": {
		[]byte{0x20, 0x40, 3, 24, 0x29, 0x07, 0x72, 0x20, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 1, 0x86, 0xa0, 0, 0, 0, 0},
		Packet{State: Down, Multiplier: 3, Mine: 0x29077220, DesiredMinTx: time.Second, RequiredMinRx: 100 * time.Millisecond},
	},
	"keepalived, up with a poll": {
		[]byte{0x20, 0xe0, 3, 24, 0x3c, 0xb4, 0x74, 0xfb, 0x29, 0x07, 0x72, 0x20, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 0, 0, 0, 0},
		Packet{State: Up, Poll: true, Multiplier: 3, Mine: 0x3cb474fb, Yours: 0x29077220,
			DesiredMinTx: 100 * time.Millisecond, RequiredMinRx: 100 * time.Millisecond},
	},
	"control detection time expired, with an echo interval": {
		[]byte{0x21, 0x48, 5, 24, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0, 0, 0, 0xc3, 0x50},
		Packet{Diag: DiagExpired, State: Down, ControlPlaneIndependent: true, Multiplier: 5, Mine: 1, Yours: 2,
			DesiredMinTx: time.Second, RequiredMinEcho: 50 * time.Millisecond},
	},
}

func TestPacket(t *testing.T) {
	for name, tc := range seen {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(tc.bytes)
			if err != nil || p != tc.packet {
				t.Errorf("Parse: %+v, %v; want %+v", p, err, tc.packet)
			}
			if b := tc.packet.Append(nil); !bytes.Equal(b, tc.bytes) {
				t.Errorf("Append: %x, want %x", b, tc.bytes)
			}
		})
	}
}

// TestParseRefuses goes through what RFC 5880 6.8.6 has discarded.
func TestParseRefuses(t *testing.T) {
	valid := Packet{State: Up, Multiplier: 3, Mine: 1, Yours: 2, DesiredMinTx: time.Second}.Append(nil)
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"another version":              {func(b []byte) []byte { b[0] = 2 << 5; return b }, ErrVersion},
		"shorter than a packet":        {func(b []byte) []byte { return b[:23] }, ErrLength},
		"nothing":                      {func([]byte) []byte { return nil }, ErrLength},
		"length below the least":       {func(b []byte) []byte { b[3] = 23; return b }, ErrLength},
		"length beyond the payload":    {func(b []byte) []byte { b[3] = 25; return b }, ErrLength},
		"multiplier of 0":              {func(b []byte) []byte { b[2] = 0; return b }, ErrMultiplier},
		"multipoint":                   {func(b []byte) []byte { b[1] |= flagMultipoint; return b }, ErrMultipoint},
		"my discriminator of 0":        {func(b []byte) []byte { b[7] = 0; return b }, ErrDiscriminator},
		"your discriminator of 0, up":  {func(b []byte) []byte { b[11] = 0; return b }, ErrDiscriminator},
		"authenticated":                {func(b []byte) []byte { b[1] |= flagAuth; return b }, ErrAuth},
		"poll and final":               {func(b []byte) []byte { b[1] |= flagPoll | flagFinal; return b }, ErrPollFinal},
		"longer than its length field": {func(b []byte) []byte { return append(b, 1, 2, 3) }, nil},
		"your discriminator 0, down":   {func(b []byte) []byte { b[1], b[11] = byte(Down)<<6, 0; return b }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(tc.change(bytes.Clone(valid))); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, tc := range seen {
		f.Add(tc.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if p.Multiplier == 0 || p.Mine == 0 || p.Poll && p.Final {
			t.Errorf("%+v is not valid", p)
		}
		again := p.Append(nil)
		// The length field counts what we do not read.
		want := bytes.Clone(b[:Length])
		want[3] = Length
		if !bytes.Equal(again, want) {
			t.Errorf("%x became %x", want, again)
		}
	})
}

// FuzzSession feeds any packets at any time: a session never panics, never sends
// more than it may, and has a moment at which it goes on.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0x40, 3, 1, 10, 0xe0, 3, 1, 1, 0x00, 9, 2, 200})
	f.Fuzz(func(t *testing.T, script []byte) {
		s := NewSession(Config{Name: "b", MinRx: 10 * time.Millisecond, MinTx: 10 * time.Millisecond, Multiplier: 3, Local: 7})
		now := time.Unix(1000, 0)
		out := s.Step(now, Start{}, nil)
		var last time.Time
		for len(script) >= 4 {
			flags, multiplier, wait, rx := script[0], script[1], script[2], script[3]
			script = script[4:]
			for end := now.Add(time.Duration(wait) * time.Millisecond); ; {
				d := s.Deadline()
				if d.IsZero() || d.After(end) {
					now = end
					break
				}
				if d.After(now) {
					now = d
				}
				was := s.Status().State
				for _, o := range s.Step(now, TimerFired{Random: float64(rx) / 256}, out[:0]) {
					if _, ok := o.(Send); ok {
						if was == s.Status().State && was == Up && !last.IsZero() && now.Sub(last) < 7*time.Millisecond {
							t.Fatalf("sent again after %v", now.Sub(last))
						}
						last = now
					}
				}
				if !s.Deadline().IsZero() && !s.Deadline().After(now) {
					t.Fatal("the deadline has not moved on")
				}
			}
			b := Packet{State: State(flags >> 6), Poll: flags&0x20 != 0, Final: flags&0x10 != 0, Demand: flags&2 != 0, Multiplier: multiplier,
				Mine: 9, Yours: 7, DesiredMinTx: time.Duration(wait) * time.Millisecond, RequiredMinRx: time.Duration(rx) * time.Millisecond}.Append(nil)
			if p, err := Parse(b); err == nil {
				last = time.Time{}
				out = s.Step(now, Received{p}, out[:0])
			}
		}
	})
}
