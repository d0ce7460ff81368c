package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Tests of the machines are scripts: at a moment an input, and in short words the
// outputs that must come of it, as line writes them.
type step struct {
	at   string // since the start of the script
	in   Input  // nil: nothing is put in, only the deadline is asked
	want string
}

var (
	epoch = time.Unix(1_000_000, 0).UTC()
	us    = netip.MustParseAddr("192.0.2.5")
	low   = netip.MustParseAddr("192.0.2.1") // a peer with a lower address
	high  = netip.MustParseAddr("192.0.2.9") // a peer with a higher one
	vip1  = netip.MustParseAddr("192.0.2.10")
	vip2  = netip.MustParseAddr("192.0.2.11")
	up    = LinkState{Up: true, Source: us}
	fire  = TimerFired{}
)

// plain is the configuration that scripts begin with.
func plain() Config {
	return Config{
		Name: "VI_1", VRID: 51, Version: 3, Priority: 100,
		AdvertInterval: time.Second, DownTimerAdverts: 3, Preempt: true,
		Addresses:     []netip.Addr{vip1, vip2},
		Group:         netip.MustParseAddr("224.0.0.18"),
		Announcements: Announcements{Repeat: 5},
	}
}

// with is plain with changes.
func with(change func(*Config)) Config {
	c := plain()
	change(&c)
	return c
}

// from is an advert like ours from a peer with a priority.
func from(peer netip.Addr, priority uint8) Advert { return fromLike(plain(), peer, priority) }

func fromLike(c Config, peer netip.Addr, priority uint8) Advert {
	return Advert{
		Packet: Packet{Version: c.Version, VRID: c.VRID, Priority: priority,
			Interval: uint16(c.AdvertInterval / (10 * time.Millisecond)), Auth: c.Auth, Addresses: c.Addresses},
		Source: peer, TTL: 255,
	}
}

// line writes outputs in short words, joined by "; ".
func line(outs []Output) string {
	var words []string
	for _, o := range outs {
		words = append(words, word(o))
	}
	return strings.Join(words, "; ")
}

func word(o Output) string {
	switch o := o.(type) {
	case SendAdvert:
		return fmt.Sprintf("advert %d", o.Packet.Priority)
	case Acquire:
		return "acquire " + tails(o.Addresses)
	case Release:
		return "release " + tails(o.Addresses)
	case Announce:
		return fmt.Sprintf("announce %s x%d", tails(o.Addresses), o.Rounds)
	case StateChanged:
		return fmt.Sprintf("%v>%v %s", o.From, o.To, o.Cause.Kind)
	case PriorityChanged:
		return fmt.Sprintf("priority %d>%d", o.From, o.To)
	case Dropped:
		return "drop " + string(o.Reason)
	case Noticed:
		return string(o.Kind)
	case CommandDone:
		if o.Err != "" {
			return "refused: " + o.Err
		}
		return "done"
	case Stopped:
		return "stopped"
	default:
		return fmt.Sprintf("%T", o)
	}
}

// tails writes addresses by what is behind their last dot or colon.
func tails(addrs []netip.Addr) string {
	var t []string
	for _, a := range addrs {
		s := a.String()
		t = append(t, s[strings.LastIndexAny(s, ".:")+1:])
	}
	return strings.Join(t, ",")
}

// play runs a script on a new router and gives the router back.
func play(t *testing.T, cfg Config, script []step) *Router {
	t.Helper()
	r := NewRouter(cfg)
	resume(t, r, script)
	return r
}

// resume runs a script on a router that runs already.
func resume(t *testing.T, r *Router, script []step) {
	t.Helper()
	for i, s := range script {
		at, err := time.ParseDuration(s.at)
		if err != nil {
			t.Fatal(err)
		}
		if s.in == nil {
			if got := deadline(r); got != s.want {
				t.Fatalf("step %d: deadline %s, want %s", i, got, s.want)
			}
			continue
		}
		if got := line(r.Step(epoch.Add(at), s.in, nil)); got != s.want {
			t.Fatalf("step %d: at %s %T%+v:\ngot  %s\nwant %s", i, s.at, s.in, s.in, got, s.want)
		}
	}
}

func deadline(r *Router) string {
	d := r.Deadline()
	if d.IsZero() {
		return "never"
	}
	return d.Sub(epoch).String()
}

// asBackup and asMaster are how most scripts begin: with priority 100 and the
// interval of one second, version 3, the skew is 609.375 ms.
func asBackup(more ...step) []step {
	return slices.Concat([]step{
		{"0s", up, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
	}, more)
}

func asMaster(more ...step) []step {
	return asBackup(slices.Concat([]step{
		{"3.609375s", fire, "advert 100; acquire 10,11"},
		{"4s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	}, more)...)
}
