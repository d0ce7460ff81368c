package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is at the edges of the rules: two of them at once, inputs that come twice or
// late, and what a state must not leave behind for the next.

// A corner is a script with the change of the configuration that it is about.
type corner struct {
	name   string
	change func(*Config)
	script []step
}

func playCorners(t *testing.T, corners []corner) {
	t.Helper()
	for _, c := range corners {
		t.Run(c.name, func(t *testing.T) {
			cfg := plain()
			if c.change != nil {
				c.change(&cfg)
			}
			play(t, cfg, c.script)
		})
	}
}

func TestElectionCorners(t *testing.T) {
	delayed := func(c *Config) { c.StartupDelay = 10 * time.Second }
	owner := func(c *Config) { c.Priority = 255 }
	playCorners(t, []corner{
		{"a failover ends the start-up delay", delayed, asBackup(
			step{"1s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
			step{"1.1s", Acquired{}, "advert 254; announce 10,11 x5; BACKUP>MASTER command"},
			step{"1.2s", from(low, 50), "lower-priority-master; advert 254"},
		)},
		{"priority 0 is answered by who comes to be master, whatever lower_prio_no_advert says",
			func(c *Config) { c.LowerPrioNoAdvert = true }, asBackup(
				step{"3.609375s", fire, "advert 100; acquire 10,11"},
				step{"4s", from(low, 0), "advert 100"},
			)},
		{"who gave up, and is master again, fails like any other", nil, asBackup(
			step{"1s", from(low, 0), ""},
			step{"1.5s", from(low, 150), ""},
			step{"5.109375s", fire, "advert 100; acquire 10,11"},
			step{"5.2s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		)},
		{"a worse master after one that gave up is preempted", nil, asBackup(
			step{"1s", from(low, 0), ""},
			step{"1.1s", from(high, 50), "lower-priority-master"},
			step{"1.609375s", fire, "acquire 10,11"},
			step{"1.7s", Acquired{}, "advert 100; announce 10,11 x5; BACKUP>MASTER preempt"},
		)},
		{"in FAULT no timer makes a master", nil, asBackup(
			step{"1s", Fault{Cause: "script", Active: true}, "BACKUP>FAULT fault"},
			step{"0s", nil, "never"},
			step{"9s", fire, ""},
		)},
		{"a FAULT that is raised twice is cleared once, and one that is not there never", nil, asBackup(
			step{"1s", Fault{Cause: "route"}, ""},
			step{"1s", Fault{Cause: "script", Active: true}, "BACKUP>FAULT fault"},
			step{"2s", Fault{Cause: "script", Active: true}, ""},
			step{"3s", Fault{Cause: "route"}, ""},
			step{"4s", Fault{Cause: "script"}, "FAULT>BACKUP recovered"},
		)},
		{"a FAULT while yielding goes by our own interval afterwards", nil, func() []step {
			slow := from(low, 150)
			slow.Packet.Interval = 300
			return asMaster(
				step{"4.2s", slow, "advert-interval-differs"},
				step{"4.3s", Fault{Cause: "script", Active: true}, "release 10,11; MASTER>FAULT fault"},
				step{"5s", Fault{Cause: "script"}, "FAULT>BACKUP recovered"},
				step{"0s", nil, "8.609375s"},
			)
		}()},
		{"an owner wins against another owner of a lower address", owner, asBackup(
			step{"1s", from(low, 255), ""},
			step{"2s", Command{Kind: Failover}, "done; priority-forced; acquire 10,11"},
		)},
		{"an owner that hears a worse master, and a master that hears an owner, tell of no second one", func(c *Config) { c.Priority, c.StateMaster = 255, true }, []step{
			{"0s", up, ""},
			{"0s", Start{}, "advert 255; acquire 10,11"},
			{"0s", Start{}, ""},
			{"0s", Acquired{}, "announce 10,11 x5; INIT>MASTER start"},
			{"0.5s", from(low, 254), "lower-priority-master; advert 255"},
		}},
		{"a master that hears an owner yields to it", nil, asMaster(step{"4.2s", from(low, 255), ""})},
		{"owner_ignore_adverts is for owners", func(c *Config) { c.OwnerIgnoreAdverts = true }, asBackup(
			step{"1s", from(low, 150), ""},
			step{"0s", nil, "4.609375s"},
		)},
		{"a failover of who is about to be master raises its priority, and no more", nil, asBackup(
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
			step{"3.7s", Command{Kind: Failover}, "done; priority 100>254; priority-forced"},
			step{"3.7s", Command{Kind: Failover}, "done"},
		)},
		{"who stops takes no order, and has no timer afterwards", delayed, asBackup(
			step{"1s", Shutdown{}, "BACKUP>INIT shutdown; stopped"},
			step{"0s", nil, "never"},
			step{"2s", Command{Kind: Failover}, ""},
		)},
		{"who offers to stop takes no order", nil, asMaster(
			step{"5s", Shutdown{Limit: 5 * time.Second}, "advert 100; advert 0; offer"},
			step{"5.1s", Command{Kind: Switchover}, "refused: shutting down"},
			step{"5.1s", Command{Kind: Failover, Force: true}, "refused: shutting down"},
		)},
		{"a FAULT that waits for another try ends with the router", nil, asBackup(
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
			step{"4s", AcquireFailed{Cause: "busy"}, "advert 0; release 10,11; BACKUP>FAULT acquire-failed"},
			step{"5s", Shutdown{}, "FAULT>INIT shutdown; stopped"},
			step{"0s", nil, "never"},
		)},
	})
}

// Who gave up last is who is told of.
func TestWhoGaveUp(t *testing.T) {
	r := play(t, plain(), asBackup(
		step{"1s", from(low, 150), ""},
		step{"1.1s", from(high, 0), ""},
		step{"1.709375s", fire, "acquire 10,11"},
		step{"1.8s", Acquired{}, "advert 100; announce 10,11 x5; BACKUP>MASTER priority-0"},
	))
	if got, want := r.Status().Cause.Detail, "192.0.2.9 gave up (priority 0)"; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
}

func TestAddressCorners(t *testing.T) {
	more := with(func(c *Config) { c.Addresses = append(c.Addresses, netip.MustParseAddr("192.0.2.12")) })
	less := with(func(c *Config) { c.Addresses = []netip.Addr{vip1} })
	none := with(func(c *Config) { c.Addresses = nil })
	lost := step{"4.1s", AddressLost{vip2}, "address-lost; acquire 11"}
	playCorners(t, []corner{
		{"an answer that comes after the addresses were given up is no FAULT", nil, asBackup(
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
			step{"4s", from(high, 200), "release 10,11"},
			step{"4.1s", AcquireFailed{Serial: 1, Cause: "busy"}, ""},
			step{"0s", nil, "7.609375s"},
		)},
		{"an address that was lost is held once", nil, asMaster(lost,
			step{"4.2s", Shutdown{}, "advert 0; release 10,11; MASTER>INIT shutdown; stopped"},
		)},
		{"two lost addresses are put back together, when the first is due", nil, asMaster(
			lost, lost, lost,
			step{"4.1s", AddressLost{vip1}, "address-lost; acquire 10"},
			step{"4.1s", AddressLost{vip1}, "address-lost; acquire 10"},
			step{"4.1s", AddressLost{vip1}, "address-lost; acquire 10"},
			step{"4.2s", AddressLost{vip2}, "address-lost"},
			step{"9s", AddressLost{vip1}, "advert 100; address-lost"},
			step{"14.1s", fire, "advert 100"},
			step{"14.2s", fire, "acquire 11,10"},
		)},
		{"what a reload takes out while it is lost is not put back", nil, asMaster(
			lost, lost, lost,
			step{"4.2s", AddressLost{vip2}, "address-lost"},
			step{"4.3s", Reconfigure{less}, "release 11"},
			step{"14.1s", fire, "advert 100"},
			step{"14.2s", fire, ""},
		)},
		{"what a reload takes out and in again is lost for the first time", nil, asMaster(
			lost, lost, lost,
			step{"4.2s", Reconfigure{less}, "release 11"},
			step{"4.2s", Reconfigure{plain()}, "acquire 11"},
			step{"4.3s", AddressLost{vip2}, "address-lost; acquire 11"},
		)},
		{"what a reload adds and another takes out is not announced", nil, asMaster(
			step{"4.1s", Reconfigure{more}, "acquire 12"},
			step{"4.1s", Reconfigure{plain()}, "release 12"},
			step{"4.2s", Acquired{}, ""},
		)},
		{"what is there is announced once", nil, asMaster(
			lost,
			step{"4.2s", Acquired{}, "announce 11 x5"},
			step{"4.2s", Acquired{}, ""},
		)},
		{"a reload on the way to master", nil, asBackup(
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
			step{"3.7s", Reconfigure{more}, "acquire 12"},
			step{"3.8s", Reconfigure{less}, "release 11,12"},
			step{"3.9s", Reconfigure{none}, "release 10; BACKUP>MASTER master-down"},
		)},
		{"what others announce and we do not hold is nothing to us", nil, asMaster(
			step{"4.1s", PeerAnnounced{high}, ""},
			step{"0s", nil, "4.609375s"},
		)},
	})
	t.Run("a FAULT for addresses that cannot be had is named", func(t *testing.T) {
		r := play(t, plain(), asBackup(
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
			step{"4s", AcquireFailed{Cause: "busy"}, "advert 0; release 10,11; BACKUP>FAULT acquire-failed"},
		))
		if got := r.Status().Faults; len(got) != 1 || !strings.Contains(got[0], "busy") {
			t.Errorf("faults %q", got)
		}
	})
}

func TestAnnouncementCorners(t *testing.T) {
	playCorners(t, []corner{
		{"garp_lower_prio_delay 0 is one burst", func(c *Config) { c.Announcements.LowerPrioRepeat = 3 }, asMaster(
			step{"4.2s", from(low, 50), "lower-priority-master; advert 100; announce 10,11 x3"},
			step{"4.3s", fire, ""},
			step{"0s", nil, "5.2s"},
		)},
		{"garp_lower_prio_repeat 0 has no second burst", func(c *Config) { c.Announcements.LowerPrioDelay = 300 * time.Millisecond }, asMaster(
			step{"4.2s", from(low, 50), "lower-priority-master; advert 100"},
			step{"0s", nil, "5.2s"},
		)},
		{"a refresh that a reload brings waits for the end of a handover", nil, asMaster(
			step{"4.2s", from(low, 150), ""},
			step{"4.3s", Reconfigure{with(func(c *Config) { c.Announcements.Refresh = time.Second })}, ""},
			step{"5.4s", fire, ""},
		)},
	})
}

func TestHandoverCorners(t *testing.T) {
	offer := step{"5s", Command{Kind: Switchover}, "advert 100; done; advert 0; offer"}
	sooner := from(low, 50)
	playCorners(t, []corner{
		{"priority 0 of another than the peer changes nothing", nil, asMaster(offer,
			step{"5.3s", from(low, 50), ""},
			step{"5.4s", from(high, 0), ""},
			step{"6.3s", from(low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		)},
		{"half an interval after the first advert the next one is another", nil, asMaster(offer,
			step{"5.3s", sooner, ""},
			step{"5.799s", sooner, ""},
			step{"5.8s", sooner, "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		)},
	})
	playCorners(t, []corner{{"another that is worse does not end a yield", nil, asMaster(
		step{"4.2s", from(low, 150), ""},
		step{"4.3s", from(high, 50), ""},
		step{"5.2s", from(low, 150), "release 10,11; MASTER>BACKUP higher-priority"},
	)}})
	t.Run("the status names a master's peer while it offers", func(t *testing.T) {
		r := play(t, plain(), asMaster(offer, step{"5.3s", from(low, 50), ""}))
		if s := r.Status(); s.Master != low || s.MasterPriority != 50 {
			t.Errorf("master %v of %d, want %v of 50", s.Master, s.MasterPriority, low)
		}
	})
	t.Run("what is left of an offer that is rolled back", func(t *testing.T) {
		slow := from(low, 50)
		slow.Packet.Interval = 300
		r := play(t, plain(), asMaster(offer,
			step{"5.3s", slow, "advert-interval-differs"},
			step{"6s", from(low, 0), "advert 100; announce 10,11 x5; offer-rolled-back"},
		))
		if s := r.Status(); s.MasterInterval != time.Second || s.Master.IsValid() {
			t.Errorf("still master by an interval of %v, of master %v", s.MasterInterval, s.Master)
		}
	})
}

func TestConditionCorners(t *testing.T) {
	overdue := []step{ // a takeover is due, and waits for the next answer
		{"0s", up, ""},
		{"0s", met, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"2s", from(low, 150), ""},
		{"5.609375s", fire, ""},
	}
	playCorners(t, []corner{
		{"a takeover that is due ends with a FAULT", conditional, append(overdue[:5:5],
			step{"5.7s", Fault{Cause: "script", Active: true}, "BACKUP>FAULT fault"},
			step{"5.8s", Fault{Cause: "script"}, "FAULT>BACKUP recovered"},
			step{"5.9s", met, ""},
			step{"0s", nil, "9.409375s"},
		)},
		{"a takeover that is due ends with the condition", conditional, append(overdue[:5:5],
			step{"5.7s", unmet, "not-eligible"},
			step{"5.9s", met, "eligible"},
		)},
		{"a takeover that is due is none in maintenance", conditional, append(overdue[:5:5],
			step{"5.7s", maintenance, "maintenance"},
			step{"5.9s", met, ""},
		)},
		{"the end of maintenance moves no timer where no takeover was due", nil, asBackup(
			step{"1s", maintenance, "maintenance"},
			step{"2s", maintained, "maintenance-ended"},
			step{"0s", nil, "3.609375s"},
		)},
		{"a condition that is met again moves a timer once", conditional, asBackup(
			step{"1s", unmet, ""},
			step{"3.609375s", fire, "takeover-withheld"},
			step{"4s", met, "eligible"},
			step{"0s", nil, "7.609375s"},
			step{"5s", unmet, "not-eligible"},
			step{"6s", met, "eligible"},
			step{"0s", nil, "7.609375s"},
		)},
		{"an offer by order that nobody takes is not made again by itself", conditional, asMasterEligible(
			step{"4.1s", unmet, "not-eligible"},
			step{"4.2s", Command{Kind: Switchover}, "done; advert 0; offer"},
			step{"5.7s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
			step{"0s", nil, "6.7s"},
			step{"66s", fire, "advert 100"},
		)},
		{"maintenance ends a failover that has not come about", nil, asBackup(
			step{"1s", from(low, 150), ""},
			step{"2s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
			step{"2.1s", from(low, 255), "release 10,11"},
			step{"3s", maintenance, "priority 254>100; priority-forced-ended; maintenance"},
		)},
		{"maintenance leaves a master what it is by a failover", nil, asBackup(
			step{"1s", from(low, 150), ""},
			step{"2s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
			step{"2.1s", maintenance, "maintenance"},
			step{"2.2s", Acquired{}, "advert 254; announce 10,11 x5; BACKUP>MASTER command"},
			step{"2.3s", maintained, "maintenance-ended"},
			step{"2.3s", maintenance, "maintenance"},
			step{"3.2s", fire, "advert 254"},
		)},
		{"a reload of something else ends no damping", damped, flap(
			step{"10s", fails, "advert 0; release 10,11; MASTER>FAULT fault; flap-damping"},
			step{"11s", Reconfigure{with(func(c *Config) { damped(c); c.Priority = 120 })}, "priority 100>120"},
		)},
		{"a reload of something else leaves preempt_delay as it runs", func(c *Config) { c.PreemptDelay = 5 * time.Second }, asBackup(
			step{"1s", from(low, 50), ""},
			step{"2s", Reconfigure{with(func(c *Config) { c.PreemptDelay, c.Priority = 5*time.Second, 120 })}, "priority 100>120"},
			step{"5.9s", from(low, 50), ""},
			step{"6s", from(low, 50), "lower-priority-master"},
		)},
	})
}

// asMasterEligible is asMaster with a condition, which is met.
func asMasterEligible(more ...step) []step {
	return slices.Concat([]step{
		{"0s", up, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"3s", met, ""},
		{"3.609375s", fire, "advert 100; acquire 10,11"},
		{"4s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	}, more)
}

// Of single answers: one that counts differs from one that does not yet.
func TestConditionAnswers(t *testing.T) {
	type answer struct {
		target, wrong string
		told          bool
	}
	for name, c := range map[string]struct {
		condition *Condition
		answers   []answer
	}{
		"of one in two, each good answer confirms": {AnyOf(1, 1, "a", "b"), []answer{
			{"a", "", true}, {"b", "", true}, {"a", "", true},
		}},
		"of two in two, both together": {AllOf(1, 1, "a", "b"), []answer{
			{"a", "", false}, {"b", "", true}, {"a", "", false}, {"b", "", true},
		}},
		"a good answer of a target that is down yet confirms nothing": {AnyOf(3, 1, "a", "b"), []answer{
			{"a", "", true}, {"b", "no", false}, {"b", "", false}, {"b", "", false}, {"b", "", true},
		}},
		"rise counts where fall is smaller": {AnyOf(3, 1, "a"), []answer{
			{"a", "no", true}, {"a", "", false}, {"a", "", false}, {"a", "", true},
		}},
	} {
		for i, a := range c.answers {
			if told := c.condition.Answer(a.target, a.wrong); told != a.told {
				t.Errorf("%s: answer %d is told of: %v, want %v", name, i, told, a.told)
			}
		}
	}
}

func TestReceiveCorners(t *testing.T) {
	peers := func(p Peer) func(*Config) { return func(c *Config) { c.Peers = []Peer{p} } }
	with252 := func(peer netip.Addr, ttl int) Advert {
		a := from(peer, 150)
		a.TTL = ttl
		return a
	}
	empty := fromLike(with(func(c *Config) { c.Version = 2 }), low, 150)
	empty.Packet.Addresses = nil
	wider := from(low, 150)
	wider.Packet.Addresses = append(slices.Clone(wider.Packet.Addresses), high)
	playCorners(t, []corner{
		{"the right checksum is taken where the old one never is", func(c *Config) {
			c.Peers, c.OldUnicastChecksum = []Peer{{Addr: low}}, OldChecksumNever
		}, asBackup(step{"1s", from(low, 150), ""}, step{"0s", nil, "4.609375s"})},
		{"min_ttl and max_ttl are themselves good, and what is not known is", peers(Peer{Addr: low, MinTTL: 250, MaxTTL: 254}), asBackup(
			step{"1s", with252(low, 250), ""},
			step{"0s", nil, "4.609375s"},
			step{"2s", with252(low, 254), ""},
			step{"0s", nil, "5.609375s"},
			step{"3s", with252(low, -1), ""},
			step{"0s", nil, "6.609375s"},
		)},
		{"min_ttl alone", peers(Peer{Addr: low, MinTTL: 250}), asBackup(
			step{"1s", with252(low, 255), ""},
			step{"0s", nil, "4.609375s"},
			step{"2s", with252(low, 0), "drop unicast-ttl"},
			step{"2s", with252(high, 255), "drop unicast-source"},
		)},
		{"max_ttl alone", peers(Peer{Addr: low, MaxTTL: 254}), asBackup(
			step{"1s", with252(low, 0), ""},
			step{"0s", nil, "4.609375s"},
			step{"2s", with252(high, 254), "drop unicast-source"},
		)},
		{"a version 2 advert without addresses differs, and is used", func(c *Config) { c.Version = 2 }, asBackup(
			step{"1s", empty, "address-list-differs"},
			step{"0s", nil, "4.609375s"},
		)},
		{"more addresses than ours differ, too", nil, asBackup(step{"1s", wider, "address-list-differs"})},
	})
	t.Run("what is dropped again is told with whom it came from", func(t *testing.T) {
		bad := func(peer netip.Addr) Advert {
			a := from(peer, 150)
			a.Packet.Version = 2
			return a
		}
		r := play(t, plain(), asBackup(step{"1s", bad(low), "drop version"}))
		for _, peer := range []netip.Addr{high, low, low} {
			if d := r.Step(epoch.Add(time.Second), bad(peer), nil)[0].(Dropped); d.Source != peer || d.Detail != "" {
				t.Errorf("%+v of a packet of %v", d, peer)
			}
		}
		// After a change of state it is news again, with its numbers.
		r.Step(epoch.Add(time.Second), Fault{Cause: "x", Active: true}, nil)
		r.Step(epoch.Add(time.Second), Fault{Cause: "x"}, nil)
		if d := r.Step(epoch.Add(time.Second), bad(low), nil)[0].(Dropped); d.Detail == "" {
			t.Errorf("%+v, want it told in full after a change of state", d)
		}
	})
}

// What a caller does with a configuration afterwards is nothing to the router.
func TestConfigIsCopied(t *testing.T) {
	cfg := withHMAC(HMACEnforce)
	cfg.Excluded, cfg.Detecting = addrs("192.0.2.12"), addrs("192.0.2.10")
	cfg.Peers, cfg.Auth.Password = []Peer{{Addr: low}}, []byte("secret")
	r := NewRouter(cfg)
	for range 2 { // then what Config gives out
		cfg.Addresses[0], cfg.Excluded[0], cfg.Detecting[0], cfg.Peers[0].Addr = high, high, high, high
		cfg.Auth.Password[0], cfg.HMAC.Keys[0].ID, cfg.HMAC.Active = 'X', 99, 99
		got := r.Config()
		if got.Addresses[0] != vip1 || got.Excluded[0] == high || got.Detecting[0] == high || got.Peers[0].Addr != low ||
			got.Auth.Password[0] != 's' || got.HMAC.Keys[0].ID != 1 || got.HMAC.Active != 1 {
			t.Fatalf("the router's configuration was changed from outside: %+v", got)
		}
		cfg = got
	}
}
