package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Moving by hand, one test a rule.

// offered is a master that has made an offer at 5 s; the window ends at 6.5 s.
func offered(more ...step) []step {
	return asMaster(append([]step{
		{"4.609375s", fire, "advert 100"},
		{"5s", Command{Kind: Switchover}, "done; advert 0; offer"},
		{"0s", nil, "6.5s"},
	}, more...)...)
}

// An offer sends priority 0 and no other advert; each address goes when the peer
// announces it, with the last the router is backup and holds.
func TestSwitchover(t *testing.T) {
	r := play(t, plain(), offered(
		step{"5.2s", fire, ""},
		step{"5.5s", from(low, 50), ""},
		step{"5.51s", PeerAnnounced{vip1}, "release 10"},
	))
	if st := r.Status(); st.State != Master || !st.Offering || len(st.Held) != 1 {
		t.Errorf("amid the offer: %+v, want MASTER, offering, one address", st)
	}
	resume(t, r, []step{
		{"5.52s", PeerAnnounced{vip2}, "release 11; MASTER>BACKUP offer; offer-taken; hold"},
		{"0s", nil, "9.51609375s"}, // since it announced; the skew of priority 1
	})
	if st := r.Status(); st.State != Backup || st.Offering || !st.Hold || st.Master != low {
		t.Errorf("after the offer: %+v, want BACKUP, held, under %v", st, low)
	}
}

// What is not announced goes with the peer's second advert, which a copy of the
// first, or an answer to somebody else's, is not.
func TestSwitchoverPeerIsNotSeenAnnouncing(t *testing.T) {
	play(t, plain(), offered(
		step{"5.5s", from(low, 50), ""},
		step{"0s", nil, "8.5s"},
		step{"5.6s", from(low, 50), ""},
		step{"0s", nil, "8.6s"},
		step{"6.5s", from(low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		step{"0s", nil, "10.49609375s"}, // three intervals and the skew of priority 1
	))
}

// A keepalived that takes over 200 addresses adverts, is busy with them for longer
// than an interval, and adverts again: all that time they are served here.
func TestSwitchoverToASlowPeer(t *testing.T) {
	// offeredSoon has offered with a short interval, and has heard the peer once.
	offeredSoon := func(t *testing.T, cfg Config) *Router {
		t.Helper()
		return play(t, cfg, []step{
			{"0s", up, ""},
			{"0s", Start{}, "INIT>BACKUP start"},
			{"1s", fire, "advert 100; acquire 10,11"},
			{"1s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
			{"1s", Command{Kind: Switchover}, "done; advert 0; offer"},
			{"1.1s", fromLike(cfg, low, 50), ""},
		})
	}
	r := play(t, plain(), offered(
		step{"5.5s", from(low, 50), ""},
		step{"6.5s", fire, ""},
		step{"6.79s", fire, ""},
	))
	if st := r.Status(); len(st.Held) != 2 || !st.Offering {
		t.Errorf("1.29 intervals after the peer's first advert: %+v, want both addresses", st)
	}
	resume(t, r, []step{
		{"6.8s", from(low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
	})
	t.Run("with a short interval", func(t *testing.T) {
		fast := with(func(c *Config) { c.AdvertInterval = 100 * time.Millisecond })
		resume(t, offeredSoon(t, fast), []step{
			{"0s", nil, "4.1s"},
			{"2.4s", fromLike(fast, low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		})
	})
	t.Run("that was long about its addresses", func(t *testing.T) {
		// What it announced just now says that it is there, which its only advert,
		// most of a master down interval ago, does not: its next is still to come.
		fast := with(func(c *Config) { c.AdvertInterval = 200 * time.Millisecond })
		resume(t, offeredSoon(t, fast), []step{
			{"1.8s", PeerAnnounced{vip1}, "release 10"},
			{"1.8s", PeerAnnounced{vip2}, "release 11; MASTER>BACKUP offer; offer-taken; hold"},
			{"1.9s", fire, ""},
			{"2s", fromLike(fast, low, 50), ""},
			{"2.79s", fire, ""},
			{"2.8s", fire, "advert 100; acquire 10,11"},
		})
	})
	t.Run("that adverts more slowly than we do", func(t *testing.T) {
		slow := from(low, 50)
		slow.Packet.Interval = 400
		play(t, plain(), offered(
			step{"5.5s", slow, "advert-interval-differs"},
			step{"0s", nil, "17.5s"},
			step{"6.5s", slow, ""},
			step{"9.5s", slow, "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		))
	})
}

// A peer that falls silent after its first advert has not taken over: the router
// is master as before, and what had been let go comes back.
func TestPeerFallsSilent(t *testing.T) {
	play(t, plain(), offered(
		step{"5.5s", from(low, 50), ""},
		step{"8.4s", fire, ""},
		step{"8.5s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"9.5s", fire, "advert 100"},
	))
	play(t, plain(), offered(
		step{"5.5s", from(low, 50), ""},
		step{"5.6s", PeerAnnounced{vip1}, "release 10"},
		step{"8.5s", fire, "advert 100; announce 11 x5; acquire 10; offer-rolled-back"},
		step{"8.6s", Acquired{Serial: 2}, "announce 10 x5"},
	))
	play(t, plain(), asMaster( // a better master, too
		step{"4.2s", from(low, 150), ""},
		step{"7.2s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
	))
}

// Of two peers that take over at once the better counts, for the other will yield
// to it, and take its announcements back.
func TestTwoPeersRace(t *testing.T) {
	for _, better := range []Advert{from(high, 50), from(low, 51)} {
		worse := from(low, 50)
		if better.Source == low {
			worse = from(high, 50)
		}
		taken := "release 10,11; MASTER>BACKUP offer; offer-taken; hold"
		play(t, plain(), offered(
			step{"5.5s", worse, ""},
			step{"5.6s", better, ""},
			step{"5.7s", PeerAnnounced{vip1}, ""},
			step{"6.5s", worse, ""},
			step{"6.6s", better, taken},
			step{"0s", nil, "10.59609375s"},
		))
		play(t, plain(), offered(
			step{"5.5s", better, ""},
			step{"5.6s", worse, ""},
			step{"5.7s", PeerAnnounced{vip1}, ""},
			step{"6.6s", worse, ""},
			step{"6.7s", better, taken},
		))
		// The better falls silent, and the worse is there.
		r := play(t, plain(), offered(
			step{"5.5s", better, ""},
			step{"7.5s", worse, ""},
			step{"8.4s", worse, ""},
			step{"0s", nil, "8.5s"},
			step{"8.5s", fire, ""},
			step{"0s", nil, "11.4s"},
			step{"9.4s", worse, taken},
		))
		if got := r.Status().Master; got != worse.Source {
			t.Errorf("master %v, want %v", got, worse.Source)
		}
		r = play(t, plain(), offered(
			step{"5.5s", better, ""},
			step{"6s", worse, ""},
			step{"6.1s", worse, ""}, // a copy
			step{"7s", worse, ""},
			step{"8s", worse, taken},
		))
		if got := r.Status().Master; got != worse.Source {
			t.Errorf("master %v, want %v", got, worse.Source)
		}
		gone := better
		gone.Packet.Priority = 0
		play(t, plain(), offered(
			step{"5.5s", better, ""},
			step{"5.6s", worse, ""},
			step{"5.7s", gone, ""},
			step{"6.6s", worse, taken},
		))
	}
}

// What is announced before the peer's first advert is what a master that we have
// relieved had still queued: the peer does not serve yet.
func TestAnnouncementsBeforeThePeersAdvertDoNotCount(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.1s", PeerAnnounced{vip1}, ""},
		step{"4.7s", fire, "advert 100; announce 10 x1"},
		step{"5s", PeerAnnounced{vip2}, ""},
		step{"5.05s", from(low, 150), ""},
		step{"5.06s", PeerAnnounced{vip2}, "release 11"},
		step{"6.05s", from(low, 150), "release 10; MASTER>BACKUP higher-priority"},
	))
	play(t, plain(), offered(
		step{"5.2s", PeerAnnounced{vip1}, ""},
		step{"5.3s", PeerAnnounced{vip2}, ""},
		step{"5.6s", from(low, 50), ""},
		step{"5.61s", PeerAnnounced{vip1}, "release 10"},
		step{"5.62s", PeerAnnounced{vip2}, "release 11; MASTER>BACKUP offer; offer-taken; hold"},
	))
}

// What a worse one announces that took itself for master is answered, after its
// announcements, also by a master that does not answer its adverts; not for ever where
// it does not give way, and again when it comes back.
func TestAnnouncementsOfAWorseMasterAreAnswered(t *testing.T) {
	play(t, with(func(c *Config) { c.LowerPrioNoAdvert = true }), asMaster(
		step{"30.1s", fire, "advert 100"},
		step{"30.2s", PeerAnnounced{vip1}, ""},
		step{"30.5s", fire, ""}, // nobody adverts: it is not for us
		step{"30.6s", from(low, 50), "lower-priority-master"},
		step{"30.7s", PeerAnnounced{vip1}, ""},
		step{"30.75s", PeerAnnounced{vip2}, ""},
		step{"30.8s", fire, "announce 10,11 x1"},
		step{"39s", from(low, 50), "advert 100; lower-priority-master"},
		step{"40.7s", PeerAnnounced{vip1}, "advert 100"},
		step{"40.85s", fire, ""},
		step{"50s", from(low, 50), "advert 100; lower-priority-master"},
		step{"50.1s", PeerAnnounced{vip1}, ""},
		step{"50.2s", fire, "announce 10 x1"},
	))
}

// Nobody takes over within the window: advert and a full burst at once, master as
// before.
func TestOfferRolledBack(t *testing.T) {
	cfg := with(func(c *Config) { c.Announcements.Refresh = 30 * time.Second })
	play(t, cfg, offered(
		step{"5.2s", PeerAnnounced{vip1}, ""},
		step{"6.4s", fire, ""},
		step{"6.5s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"7.5s", fire, "advert 100"},
		step{"36.5s", fire, "advert 100; announce 10,11 x1"},
	))
}

// The window is a second of version 2 whatever the interval, an interval of
// version 3, and the margin.
func TestAnswerWindow(t *testing.T) {
	for _, c := range []struct {
		version  uint8
		interval time.Duration
		want     time.Duration
	}{
		{2, 10 * time.Second, 1500 * time.Millisecond},
		{3, 10 * time.Second, 10500 * time.Millisecond},
		{3, 10 * time.Millisecond, 510 * time.Millisecond},
	} {
		r := NewRouter(with(func(x *Config) { x.Version, x.AdvertInterval = c.version, c.interval }))
		if got := r.answerWindow(); got != c.want {
			t.Errorf("version %d, interval %v: %v, want %v", c.version, c.interval, got, c.want)
		}
	}
}

// While it offers, the router is the worse master against any advert, and against
// another that gives up it waits on.
func TestOfferingIsTheWorseMaster(t *testing.T) {
	play(t, plain(), offered(
		step{"5.1s", from(high, 0), ""},
		step{"0s", nil, "6.5s"},
		step{"5.2s", from(low, 1), ""},
		step{"0s", nil, "8.2s"},
	))
}

// A peer that took over and gives up again before we left: master still.
func TestPeerGivesUpAgain(t *testing.T) {
	play(t, plain(), offered(
		step{"5.2s", from(low, 50), ""},
		step{"5.3s", PeerAnnounced{vip1}, "release 10"},
		step{"5.4s", from(low, 0), "advert 100; announce 11 x5; acquire 10; offer-rolled-back"},
	))
}

// FAULT ends an offer at once; priority 0 is out already.
func TestFaultDuringOffer(t *testing.T) {
	play(t, plain(), offered(
		step{"5.2s", LinkState{Source: us}, "release 10,11; MASTER>FAULT link"},
	))
}

// Somebody else's removal of an address that is still served is repaired.
func TestAddressLostDuringOffer(t *testing.T) {
	play(t, plain(), offered(
		step{"5.2s", AddressLost{vip1}, "address-lost; acquire 10"},
		step{"5.3s", Acquired{}, ""},
	))
}

// A yield serves on in the same way, sends no priority 0 and does not hold.
func TestYield(t *testing.T) {
	r := play(t, plain(), asMaster(
		step{"4.2s", from(low, 150), ""},
		step{"4.21s", PeerAnnounced{vip2}, "release 11"},
		step{"4.3s", PeerAnnounced{vip1}, "release 10; MASTER>BACKUP higher-priority"},
		step{"0s", nil, "7.909375s"},
	))
	if r.Status().Hold {
		t.Error("a yield holds")
	}
}

// Leaving cancels announcements that are still to come.
func TestHandingOverAnnouncesNothing(t *testing.T) {
	cfg := with(func(c *Config) { c.Announcements = Announcements{Repeat: 5, Delay: time.Second, Refresh: time.Second} })
	play(t, cfg, asMaster(
		step{"4.2s", from(low, 150), ""},
		step{"5s", fire, ""},
		step{"5.2s", from(low, 150), "release 10,11; MASTER>BACKUP higher-priority"},
		step{"6s", fire, ""},
	))
}

// A held router takes any master, whatever its priority; it becomes master only
// when none is left, and the hold ends there.
func TestHold(t *testing.T) {
	held := offered(
		step{"5.2s", from(low, 1), ""},
		step{"6.2s", from(low, 1), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
	)
	play(t, plain(), append(held[:len(held):len(held)],
		step{"7s", from(low, 1), ""},
		step{"0s", nil, "10.99609375s"},
		step{"8s", from(low, 0), ""},
		step{"0s", nil, "8.99609375s"},
		step{"8.99609375s", fire, "acquire 10,11"},
		step{"9s", Acquired{}, "advert 100; announce 10,11 x5; BACKUP>MASTER priority-0; hold-ended"},
	))
	play(t, plain(), append(held[:len(held):len(held)],
		step{"7s", Command{Kind: Resume}, "done; hold-ended"},
		step{"0s", nil, "9.809375s"},
		step{"7.2s", from(low, 1), "lower-priority-master"},
		step{"9.809375s", fire, "acquire 10,11"},
	))
	play(t, plain(), append(held[:len(held):len(held)],
		step{"7s", from(low, 1), ""},
		step{"7.1s", Command{Kind: Failover}, "done; hold-ended; priority 100>254; priority-forced; acquire 10,11"},
	))
	t.Run("an owner that starts or recovers held is backup as well", func(t *testing.T) {
		play(t, with(func(c *Config) { c.Priority, c.StateMaster = 255, true }), []step{
			{"0s", up, ""},
			{"0s", Start{Hold: true}, "hold; INIT>BACKUP start"},
			{"0s", nil, "3.99609375s"},
			{"1s", LinkState{}, "BACKUP>FAULT link"},
			{"2s", up, "FAULT>BACKUP recovered"},
			{"0s", nil, "5.99609375s"},
		})
	})
	t.Run("an owner holds too", func(t *testing.T) {
		owner := with(func(c *Config) { c.Priority, c.StateMaster, c.OwnerIgnoreAdverts = 255, true, true })
		play(t, owner, []step{
			{"0s", up, ""},
			{"0s", Start{}, "advert 255; acquire 10,11"},
			{"0s", Acquired{}, "announce 10,11 x5; INIT>MASTER start"},
			{"0s", Command{Kind: Switchover}, "done; advert 0; offer"},
			{"0.5s", from(low, 10), ""},
			{"1.5s", from(low, 10), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
			{"2s", from(low, 10), ""},
			{"0s", nil, "5.99609375s"},
		})
	})
}

// A failover on the standby node takes over now, with 254 until a resume.
func TestFailover(t *testing.T) {
	play(t, with(func(c *Config) { c.Preempt = false }), asBackup(
		step{"1s", from(high, 253), ""},
		step{"1.5s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
		step{"1.51s", from(high, 253), ""},
		step{"1.52s", Acquired{Serial: 1}, "advert 254; announce 10,11 x5; BACKUP>MASTER command"},
		step{"1.6s", from(high, 253), "lower-priority-master; advert 254"},
		step{"2s", Priority{Effective: 90}, ""},
		step{"3s", Command{Kind: Resume}, "advert 254; done; priority 254>90; priority-forced-ended"},
		step{"4s", fire, "advert 90"},
	))
	play(t, plain(), asBackup(
		step{"1s", from(low, 254), ""},
		step{"1.5s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
	))
	play(t, plain(), asBackup(
		step{"1s", from(high, 254), ""},
		step{"5.5s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
	))
}

// A failover is refused where 254 cannot win, and where there is nothing to do.
func TestRefusals(t *testing.T) {
	order := func(kind CommandKind) Command { return Command{Kind: kind} }
	for _, c := range []struct {
		name   string
		script []step
		order  Command
		want   string
	}{
		{"owner", asBackup(step{"1s", from(low, 255), ""}), order(Failover), "owns the addresses"},
		{"higher address", asBackup(step{"1s", from(high, 254), ""}), order(Failover), "higher address"},
		{"FAULT", asBackup(step{"1s", LinkState{Cause: "eth0 is down"}, "BACKUP>FAULT link"}), order(Failover), "in FAULT: eth0 is down"},
		{"failover on the master", asMaster(), order(Failover), "master here"},
		{"switchover on a backup", asBackup(), order(Switchover), "not master here (BACKUP)"},
		{"switchover while acquiring", asBackup(step{"3.609375s", fire, "advert 100; acquire 10,11"}), order(Switchover), "try again"},
		{"switchover twice", offered(), order(Switchover), "already handing over"},
		{"before the start", nil, order(Switchover), "not started"},
		{"unknown", asMaster(), order("fly"), `unknown command "fly"`},
	} {
		r := play(t, plain(), c.script)
		out := r.Step(r.now.Add(400*time.Millisecond), c.order, nil)
		done, ok := out[len(out)-1].(CommandDone)
		if !ok || !strings.Contains(done.Err, c.want) || done.Kind != c.order.Kind {
			t.Errorf("%s: %s, want a refusal with %q", c.name, line(out), c.want)
		}
	}
	if out := NewRouter(plain()).Step(epoch, Command{Kind: Resume}, nil); line(out) != "done" {
		t.Errorf("resume with nothing to resume: %s, want done", line(out))
	}
}

// A forced failover on the active node gives up at once, peer or not.
func TestForcedFailoverOnTheActiveNode(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.2s", Command{Kind: Failover, Force: true}, "done; advert 0; release 10,11; MASTER>BACKUP command; hold"},
		step{"0s", nil, "8.19609375s"},
	))
	play(t, plain(), offered(
		step{"5.2s", Command{Kind: Failover, Force: true}, "done; release 10,11; MASTER>BACKUP command; hold"},
	))
}

// A switchover ends the priority that a failover raised.
func TestSwitchoverEndsForce(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", Command{Kind: Failover}, "done; priority 100>254; priority-forced; acquire 10,11"},
		step{"1.1s", Acquired{}, "advert 254; announce 10,11 x5; BACKUP>MASTER command"},
		step{"1.2s", Command{Kind: Switchover}, "done; advert 0; offer"},
		step{"1.5s", from(low, 50), ""},
		step{"2.5s", from(low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; priority 254>100; priority-forced-ended; hold"},
	))
}

// A Shutdown makes an offer, within its limit, and does not roll back.
func TestShutdownOffers(t *testing.T) {
	begin := asMaster(step{"4.2s", Shutdown{Limit: 5 * time.Second}, "advert 0; offer"})
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"4.81s", PeerAnnounced{vip1}, "release 10"},
		step{"4.82s", PeerAnnounced{vip2}, "release 11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"4.9s", from(low, 0), ""}, // too late to stay; another peer may come
		step{"5.8s", from(high, 40), ""},
		step{"6.8s", from(high, 40), "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"0s", nil, "7.8s"},
		step{"7.8s", fire, ""},
		step{"0s", nil, "9.2s"}, // the limit
		step{"9.2s", fire, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"4.9s", from(low, 0), ""},
		step{"0s", nil, "6.4s"},
		step{"6.4s", fire, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"8s", from(low, 50), "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, with(func(c *Config) { c.Detecting = []netip.Addr{vip1, vip2} }), asMaster(
		step{"4.2s", Shutdown{Limit: 5 * time.Second}, "advert 0; offer; release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"0s", nil, "5.7s"},
		step{"5.7s", fire, "release 10,11; MASTER>INIT shutdown; stopped"},
		step{"0s", nil, "never"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", from(low, 50), ""},
		step{"4.9s", Shutdown{Limit: time.Second}, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.8s", LinkState{Source: us}, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), asMaster(
		step{"4.2s", Shutdown{Limit: 700 * time.Millisecond}, "advert 0; offer"},
		step{"0s", nil, "4.9s"},
		step{"4.8s", from(low, 50), ""},
		step{"0s", nil, "4.9s"},
		step{"4.9s", fire, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
	play(t, plain(), offered(
		step{"5.2s", Shutdown{Limit: 5 * time.Second}, ""},
		step{"6.5s", fire, "release 10,11; MASTER>INIT shutdown; stopped"},
	))
}

// A configuration that takes away the last address of an offer ends it.
func TestReconfigureDuringOffer(t *testing.T) {
	more := with(func(c *Config) { c.Excluded = addrs("192.0.2.77") })
	none := with(func(c *Config) { c.Addresses = addrs("192.0.2.78") })
	play(t, plain(), offered(
		step{"5.1s", Reconfigure{more}, ""},
		step{"5.2s", from(low, 50), ""},
		step{"5.3s", Reconfigure{none}, "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
	))
}

// An address that a peer would look for on the link before it uses it is gone by
// then: with the offer. Without any other there is still a peer to wait for.
func TestAddressesUnderDetectionGoWithTheOffer(t *testing.T) {
	some := with(func(c *Config) { c.Detecting = []netip.Addr{vip2} })
	play(t, some, asMaster(
		step{"4.609375s", fire, "advert 100"},
		step{"5s", Command{Kind: Switchover}, "done; advert 0; offer; release 11"},
		step{"5.5s", from(low, 50), ""},
		step{"5.51s", PeerAnnounced{vip1}, "release 10; MASTER>BACKUP offer; offer-taken; hold"},
	))
	every := with(func(c *Config) { c.Detecting = []netip.Addr{vip1, vip2} })
	play(t, every, asMaster(
		step{"4.609375s", fire, "advert 100"},
		step{"5s", Command{Kind: Switchover}, "done; advert 0; offer; release 10,11"},
		step{"5.5s", from(low, 50), "MASTER>BACKUP offer; offer-taken; hold"},
	))
	play(t, every, asMaster(
		step{"4.2s", from(high, 150), "release 10,11; MASTER>BACKUP higher-priority"},
	))
	play(t, every, asMaster(
		step{"4.609375s", fire, "advert 100"},
		step{"5s", Command{Kind: Switchover}, "done; advert 0; offer; release 10,11"},
		step{"6.5s", fire, "advert 100; acquire 10,11; offer-rolled-back"},
		step{"6.6s", Acquired{}, "announce 10,11 x5"},
	))
}

// What a relieved master still announces is answered for a while, all addresses
// of a tenth of a second together; a second master that goes on is not.
func TestAnnouncementsOfARelievedMasterAreAnswered(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.609375s", fire, "advert 100"},
		step{"5s", PeerAnnounced{vip1}, ""},
		step{"5.05s", PeerAnnounced{vip2}, ""},
		step{"0s", nil, "5.1s"},
		step{"5.1s", fire, "announce 10,11 x1"},
		step{"5.2s", PeerAnnounced{vip2}, ""},
		step{"5.3s", fire, "announce 11 x1"},
		step{"5.35s", PeerAnnounced{vip2}, ""},
		step{"5.4s", from(high, 150), ""},
		step{"5.45s", fire, ""},
	))
	play(t, plain(), asMaster(
		step{"14.1s", fire, "advert 100"},
		step{"14.2s", PeerAnnounced{vip1}, ""},
		step{"14.4s", fire, ""},
	))
}

// Where both nodes send from one Ethernet address, the peer's first advert has
// turned the switches to it: everything goes at once, whoever left and why.
func TestSharedMACLeavesWithTheFirstAdvert(t *testing.T) {
	shared := with(func(c *Config) { c.SharedMAC = true })
	play(t, shared, offered(
		step{"5.2s", fire, ""},
		step{"5.5s", from(low, 50), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
		step{"0s", nil, "9.49609375s"},
	))
	play(t, shared, asMaster( // to a better master
		step{"4.2s", from(low, 150), "release 10,11; MASTER>BACKUP higher-priority"},
		step{"0s", nil, "7.809375s"},
	))
	play(t, shared, asMaster( // to stop
		step{"4.2s", Shutdown{Limit: 5 * time.Second}, "advert 0; offer"},
		step{"4.8s", from(low, 50), "release 10,11; MASTER>INIT shutdown; stopped"},
	))
}

// A better master that is worse by its next advert, or whose first one was old, is
// yielded to no longer: two that yield to each other would both be silent.
func TestYieldEndsWhereThePeerIsWorse(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.2s", from(high, 150), ""},
		step{"4.21s", from(high, 150), ""}, // a copy
		step{"4.22s", from(high, 90), "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"0s", nil, "5.22s"},
	))
	play(t, plain(), asMaster( // whoever took an offer up may be worse
		step{"4.2s", Command{Kind: Switchover}, "done; advert 0; offer"},
		step{"4.3s", from(high, 90), ""},
		step{"5.3s", from(high, 80), "release 10,11; MASTER>BACKUP offer; offer-taken; hold"},
	))
}

// A master whose predecessor lives and has its Ethernet address announces a while
// after its advert, when the predecessor has no address to answer for any more.
func TestSharedMACAnnouncesLater(t *testing.T) {
	shared := with(func(c *Config) { c.SharedMAC = true })
	r := play(t, shared, []step{
		{"0s", up, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"1s", from(low, 0), ""},
		{"1.609375s", fire, "acquire 10,11"},
		{"1.62s", Acquired{}, "advert 100; BACKUP>MASTER priority-0"},
		{"0s", nil, "1.67s"},
		{"1.67s", fire, "announce 10,11 x5"},
	})
	resume(t, r, []step{{"2.62s", fire, "advert 100"}})
	play(t, shared, asMaster()) // nobody was there: at once
}
