package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// FuzzStep gives a group of one or two routers any inputs in any order and asserts
// that it bears them, and what must hold after each.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 2, 0, 0, 200, 3, 0, 0, 10, 4, 0, 0, 30, 6, 0, 0})
	f.Add([]byte{1, 1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 2, 1, 0, 255, 3, 0, 0, 255, 3, 0, 0, 1, 4, 0, 0, 1, 4, 1, 0, 9, 0, 1, 150})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 1000 {
			return // longer ones only take longer
		}
		g := fuzzGroup(program[0])
		now := epoch
		for rest := program[1:]; len(rest) >= 4; rest = rest[4:] {
			now = now.Add(time.Duration(rest[0]) * 20 * time.Millisecond)
			m := g.Members()[int(rest[2])%len(g.Members())]
			name := m.cfg.Name
			if rest[2] > 200 {
				name = ""
			}
			out := g.Step(now, GroupInput{name, fuzzInput(m, rest[1], rest[3])}, nil)
			fuzzCheck(t, g, out)
		}
	})
}

// fuzzGroup takes the kind of configuration from one byte.
func fuzzGroup(b byte) *Group {
	cfg := with(func(c *Config) {
		c.Preempt = b&2 == 0
		c.PreemptDelay = time.Duration(b&4) * time.Second
		c.Version = 2 + b>>3&1
		c.HigherPrioSendAdvert = b&16 > 0
		c.OwnerIgnoreAdverts = b&32 > 0
		if !c.Preempt {
			c.TimerExpiredBackup = b &^ 1
		}
		c.StartupDelay = time.Duration(b&64) * 10 * time.Millisecond
		if b&128 > 0 {
			c.Priority, c.StateMaster = 255, true
		}
		c.Announcements = Announcements{Repeat: 1, Delay: time.Second, Refresh: time.Second, LowerPrioRepeat: 1, LowerPrioDelay: time.Second}
	})
	if b&1 == 0 {
		return NewGroup("", NewRouter(cfg))
	}
	other := cfg
	other.Name, other.VRID, other.Addresses = "VI_2", 52, addrs("192.0.2.20", "192.0.2.21")
	return NewGroup("G", NewRouter(cfg), NewRouter(other))
}

// fuzzInput takes an input for a member from two bytes.
func fuzzInput(m *Router, kind, x byte) Input {
	addr := m.cfg.Addresses[int(x)%len(m.cfg.Addresses)]
	switch kind % 17 {
	case 0, 1:
		return fromLike(m.cfg, []netip.Addr{low, high, us}[x%3], x)
	case 2:
		return TimerFired{}
	case 3:
		return LinkState{Up: x != 0, Source: us}
	case 4:
		return Start{LastAdvert: epoch.Add(-time.Duration(x) * 50 * time.Millisecond), Hold: x&1 > 0}
	case 5:
		return Acquired{Serial: uint64(x % 4)}
	case 6:
		return AcquireFailed{Serial: uint64(x % 4), Cause: "fuzz"}
	case 7:
		return Fault{Cause: "fuzz", Active: x&1 > 0}
	case 8:
		return Priority{Effective: x}
	case 9:
		return Command{Kind: []CommandKind{Switchover, Failover, Resume, "fly"}[x%4], Force: x&4 > 0}
	case 10:
		return PeerAnnounced{Addr: addr}
	case 11:
		return AddressLost{Addr: addr}
	case 12:
		c := m.Config()
		c.Addresses = addrs("192.0.2.10", "192.0.2.30", "192.0.2.31")[:1+x%3]
		c.Priority = max(x, 1)
		return Reconfigure{c}
	case 13:
		return Shutdown{Limit: time.Duration(x) * 10 * time.Millisecond}
	case 14:
		a := fromLike(m.cfg, high, x)
		a.Packet.Version, a.Packet.Interval = 2+x&1, uint16(x)+1
		a.Packet.Auth = Auth{Type: AuthType(x % 3)}
		return &a
	case 15:
		return Align{epoch.Add(time.Duration(x) * 10 * time.Millisecond)}
	default:
		return up
	}
}

func fuzzCheck(t *testing.T, g *Group, out []GroupOutput) {
	t.Helper()
	failed := false
	for _, m := range g.Members() {
		st := m.Status()
		if holds, may := len(st.Held) > 0, st.State == Master || m.acquiring.on; holds != may {
			t.Fatalf("%s holds %v in %v", st.Name, st.Held, st.State)
		}
		if st.Offering && (st.State != Master || m.advertising()) {
			t.Fatalf("%s offers in %v, adverting %v", st.Name, st.State, m.advertising())
		}
		if (st.State == Failed) != (len(st.Faults) > 0) && m.started && !m.stopped {
			t.Fatalf("%s is %v with faults %q", st.Name, st.State, st.Faults)
		}
		if m.started && !m.stopped && st.State == Init && !m.want.on && !m.acquiring.on {
			t.Fatalf("%s has started and stays in INIT", st.Name)
		}
		if m.stopped && !m.Deadline().IsZero() {
			t.Fatalf("%s has stopped with a deadline", st.Name)
		}
		if m.started && !m.stopped && st.State != Failed && m.Deadline().IsZero() && !m.acquiring.on && !m.want.on {
			t.Fatalf("%s waits in %v for nothing", st.Name, st.State)
		}
		failed = failed || st.State == Failed
	}
	for _, m := range g.Members() {
		if s := m.Status().State; failed && s != Failed && m.started && !m.stopped {
			t.Fatalf("%s is %v beside a member in FAULT", m.cfg.Name, s)
		}
	}
	for _, o := range out {
		if b, err := marshalOutput(o.Output); err != nil || len(b) == 0 {
			t.Fatalf("%+v has no JSON: %v", o, err)
		}
	}
}
