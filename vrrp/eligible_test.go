package vrrp

import (
	"testing"
	"time"
)

func conditional(c *Config) { c.Conditional = true }

var (
	met   = Eligibility{Eligible: true, Cause: "ping 192.0.2.254 answers"}
	unmet = Eligibility{Cause: "ping 192.0.2.254 does not answer (timeout)"}
)

// A backup whose condition is not met, or not known yet, does not take over; once it
// is met, whoever is master has a full master down interval to be heard.
func TestConditionWithholdsTakeover(t *testing.T) {
	r := play(t, with(conditional), asBackup(
		step{"3.609375s", fire, "takeover-withheld"},
		step{"0s", nil, "7.21875s"},
		step{"4s", unmet, ""},
		step{"7.21875s", fire, ""},
		step{"9s", met, "eligible"},
		step{"0s", nil, "12.609375s"},
		step{"10s", from(low, 150), ""},
		step{"0s", nil, "13.609375s"},
		step{"11s", unmet, "not-eligible"},
		step{"13.609375s", fire, "takeover-withheld"},
		step{"15s", met, "eligible"},
		step{"17s", met, ""},
		step{"18.609375s", fire, "advert 100; acquire 10,11"},
		step{"18.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	))
	if why := r.Status().Ineligible; why != "" {
		t.Errorf("not eligible: %s", why)
	}
	t.Run("met before the timer expires", func(t *testing.T) {
		play(t, with(conditional), asBackup(
			step{"1.1s", met, ""},
			step{"0s", nil, "3.609375s"},
			step{"3.609375s", fire, "advert 100; acquire 10,11"},
		))
	})
	t.Run("nor preempts, nor follows an offer", func(t *testing.T) {
		play(t, with(conditional), asBackup(
			step{"0.1s", unmet, ""},
			step{"1s", from(low, 50), "lower-priority-master"},
			step{"3.609375s", fire, "takeover-withheld"},
			step{"4s", from(low, 0), ""},
			step{"4.609375s", fire, ""},
		))
	})
	t.Run("nor an owner at its start", func(t *testing.T) {
		play(t, with(func(c *Config) { conditional(c); c.Priority, c.StateMaster = 255, true }), []step{
			{"0s", up, ""},
			{"0s", unmet, ""},
			{"0s", Start{}, "INIT>BACKUP start"},
			{"3.00390625s", fire, "takeover-withheld"},
		})
	})
}

// An answer from before the first missing advert shows nothing: the cut may be younger
// than it. The takeover that is due waits for the next answer, and comes with it.
func TestConditionIsConfirmedWhileAdvertsAreMissing(t *testing.T) {
	begin := []step{
		{"0s", up, ""},
		{"0s", met, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"2s", from(low, 150), ""},
		{"2.9s", met, ""},
		{"5.609375s", fire, ""},
		{"0s", nil, "9.21875s"},
	}
	r := play(t, with(conditional), append(begin[:len(begin):len(begin)],
		step{"5.9s", met, "advert 100; acquire 10,11"},
		step{"6s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	))
	if got, want := r.Status().Cause.Detail, "no advert for 3.609s, last from 192.0.2.1 priority 150"; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
	play(t, with(conditional), append(begin[:len(begin):len(begin)],
		step{"5.8s", from(low, 150), ""}, // it was a pause
		step{"5.9s", met, ""},
		step{"0s", nil, "9.409375s"},
	))
	play(t, with(conditional), append(begin[:len(begin):len(begin)],
		step{"5.8s", unmet, "not-eligible"}, // it was a cut
		step{"9.21875s", fire, "takeover-withheld"},
	))
	t.Run("an answer while an advert is missing", func(t *testing.T) {
		play(t, with(conditional), append(begin[:len(begin)-2:len(begin)-2],
			step{"3.1s", met, ""},
			step{"5.609375s", fire, "advert 100; acquire 10,11"},
		))
	})
	t.Run("an answer that was on its way when the advert was due", func(t *testing.T) {
		late := met
		late.Asked = epoch.Add(2990 * time.Millisecond)
		play(t, with(conditional), append(begin[:len(begin)-2:len(begin)-2],
			step{"3.1s", late, ""},
			step{"5.609375s", fire, ""},
			step{"5.9s", met, "advert 100; acquire 10,11"},
		))
	})
	t.Run("a master that is heard needs none", func(t *testing.T) {
		play(t, with(conditional), append(begin[:len(begin)-2:len(begin)-2],
			step{"4s", from(low, 0), ""},
			step{"4.609375s", fire, "acquire 10,11"},
		))
		play(t, with(conditional), append(begin[:3:3],
			step{"3s", from(low, 50), "lower-priority-master"},
			step{"3.609375s", fire, "acquire 10,11"},
		))
	})
}

// Who is master stays master without the condition, also after a restart and while
// the addresses are still coming.
func TestConditionLeavesTheMaster(t *testing.T) {
	r := play(t, with(conditional), []step{
		{"0s", up, ""},
		{"0s", met, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"3s", met, ""},
		{"3.609375s", fire, "advert 100; acquire 10,11"},
		{"3.65s", unmet, "not-eligible"},
		{"4s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		{"4.609375s", fire, "advert 100"},
		{"5.609375s", fire, "advert 100"},
	})
	if got := r.Status().Ineligible; got != unmet.Cause {
		t.Errorf("not eligible because %q, want %q", got, unmet.Cause)
	}
	play(t, with(conditional), []step{
		{"0s", up, ""},
		{"1s", Start{LastAdvert: epoch}, "advert 100; acquire 10,11"},
	})
}

// With OfferIneligible a master that loses the condition offers: a peer that can takes
// over, and nobody holds. Where none does we are master still, and offer again.
func TestConditionLostIsOffered(t *testing.T) {
	offers := with(func(c *Config) { conditional(c); c.OfferIneligible = true })
	begin := []step{
		{"0s", up, ""},
		{"0s", met, ""},
		{"0s", Start{}, "INIT>BACKUP start"},
		{"3s", met, ""},
		{"3.609375s", fire, "advert 100; acquire 10,11"},
		{"4s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		{"4.5s", unmet, "not-eligible; advert 0; offer"},
	}
	r := play(t, offers, append(begin[:len(begin):len(begin)],
		step{"5.2s", from(low, 50), ""},
		step{"5.21s", PeerAnnounced{vip1}, "release 10"},
		step{"5.21s", PeerAnnounced{vip2}, "release 11; MASTER>BACKUP not-eligible"},
		step{"6.2s", from(low, 50), "lower-priority-master"},
		step{"8.819375s", fire, "takeover-withheld"},
	))
	if r.Status().Hold {
		t.Error("the node holds")
	}
	play(t, offers, append(begin[:len(begin):len(begin)],
		step{"6s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"65s", fire, "advert 100"},
		step{"66s", fire, "advert 100; advert 0; offer"},
		step{"66.1s", met, "eligible"},
		step{"67.5s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"0s", nil, "1m8.5s"},
		step{"200s", fire, "advert 100"},
	))
	t.Run("asked for by a reload", func(t *testing.T) {
		play(t, plain(), asMaster(
			step{"4.1s", Reconfigure{offers}, ""}, // nothing is known yet
			step{"4.2s", unmet, "advert 0; offer"},
			step{"4.5s", Reconfigure{plain()}, "eligible"},
		))
	})
}

// An operator may take over all the same, by force.
func TestConditionAndFailover(t *testing.T) {
	play(t, with(conditional), asBackup(
		step{"0.1s", unmet, ""},
		step{"1s", from(low, 150), ""},
		step{"2s", Command{Kind: Failover}, "refused: this node may not take over: ping 192.0.2.254 does not answer (timeout); use force to take over all the same"},
		step{"2s", Command{Kind: Failover, Force: true}, "done; priority 100>254; priority-forced; acquire 10,11"},
		step{"2.1s", Acquired{}, "advert 254; announce 10,11 x5; BACKUP>MASTER command"},
		step{"2.2s", Command{Kind: Resume}, "done; priority 254>100; priority-forced-ended"},
		step{"2.3s", from(low, 150), ""},
	))
}

// A sync group offers whole where one member loses the condition, and stays whole
// where nobody takes over; one that may not take over keeps all others backup.
func TestConditionInAGroup(t *testing.T) {
	g := pair(func(a, _ *Config) { a.Conditional, a.OfferIneligible = true, true })
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", unmet, ""},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>BACKUP start; G INIT>BACKUP start"},
		{"3.609375s", "", fire, "A takeover-withheld"},
		{"4s", "A", met, "A eligible"},
		{"6s", "A", met, ""},
		{"7.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		{"7.7s", "A", Acquired{}, "A announce 10 x5; A BACKUP>MASTER master-down"},
		{"7.7s", "B", Acquired{}, "B announce 11 x5; B BACKUP>MASTER master-down; G BACKUP>MASTER master-down"},
		{"8s", "A", unmet, "A not-eligible; A advert 0; A offer; B advert 0; B offer"},
		{"9.5s", "", fire, "A advert 100; A announce 10 x5; A offer-rolled-back; B advert 100; B announce 11 x5; B offer-rolled-back"},
	})
}

// Answers become a condition: one of a target's first decides, later ones after rise
// or fall alike in sequence; any target, or all of them, must answer.
func TestCondition(t *testing.T) {
	type answer struct {
		target, wrong string
		told          bool
		state         string
	}
	for name, c := range map[string]struct {
		all     bool
		targets []string
		answers []answer
	}{
		"one": {false, []string{"a"}, []answer{
			{"a", "timeout", true, "a does not answer (timeout)"},
			{"a", "", false, "a does not answer (timeout)"},
			{"a", "refused", false, "a does not answer (refused)"},
			{"a", "", false, "a does not answer (refused)"},
			{"a", "", true, "+a answers"},
			{"a", "timeout", false, "+a answers"},
			{"a", "timeout", false, "+a answers"},
			{"a", "", true, "+a answers"},
			{"a", "timeout", false, "+a answers"},
			{"a", "timeout", false, "+a answers"},
			{"a", "timeout", true, "a does not answer (timeout)"},
			{"b", "", false, "a does not answer (timeout)"},
		}},
		"any": {false, []string{"a", "b"}, []answer{
			{"a", "timeout", false, "?"},
			{"b", "timeout", true, "a does not answer (timeout), b does not answer (timeout)"},
			{"b", "", false, "a does not answer (timeout), b does not answer (timeout)"},
			{"b", "", true, "+b answers"},
		}},
		"any, first answer": {false, []string{"a", "b"}, []answer{{"b", "", true, "+b answers"}}},
		"all": {true, []string{"a", "b"}, []answer{
			{"a", "", false, "?"},
			{"b", "", true, "+a, b answers"},
			{"b", "", false, "+a, b answers"},
			{"a", "", true, "+a, b answers"},
		}},
		"all, first failure": {true, []string{"a", "b"}, []answer{{"b", "refused", true, "b does not answer (refused)"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cond := AnyOf(2, 3, c.targets...)
			if c.all {
				cond = AllOf(2, 3, c.targets...)
			}
			for i, a := range c.answers {
				told := cond.Answer(a.target, a.wrong)
				e, known := cond.State()
				got := e.Cause
				switch {
				case !known:
					got = "?"
				case e.Eligible:
					got = "+" + got
				}
				if told != a.told || got != a.state {
					t.Errorf("answer %d: %v %q, want %v %q", i, told, got, a.told, a.state)
				}
			}
		})
	}
	if AllOf(0, 0, "a").Answer("a", "") != true {
		t.Error("the first answer does not count")
	}
}

// A unicast router without peers is unicast still: it takes nothing from the group.
func TestUnicastWithoutPeers(t *testing.T) {
	toGroup, toUs := from(low, 150), from(low, 150)
	toGroup.Destination, toUs.Destination = oldChecksumGroup, us
	cfg := with(func(c *Config) { c.Unicast = true })
	play(t, cfg, asBackup(
		step{"1s", toGroup, "drop unicast-multicast"},
		step{"1s", toUs, ""},
	))
	cfg.CheckSource = true
	play(t, cfg, asBackup(step{"1s", toUs, "drop unicast-source"}))
	cfg.Peers = []Peer{{Addr: low}}
	play(t, cfg, asBackup(step{"1s", toUs, ""}, step{"0s", nil, time.Duration(4609375 * time.Microsecond).String()}))
}

// A wish of a member that has to wait for the others is no longer good once the member
// has missed an advert without an answer since.
func TestConditionOfAnOldWish(t *testing.T) {
	g := pair(func(a, _ *Config) { a.Conditional = true })
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", met, ""},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>BACKUP start; G INIT>BACKUP start"},
		{"2s", "B", to(g, "B", low, 150), ""},
		{"3s", "A", to(g, "A", low, 50), "A lower-priority-master"},
		{"3.5s", "A", met, ""},
		{"3.609375s", "", fire, ""}, // A wishes, since it hears a worse master
		{"5.609375s", "", fire, ""}, // B wishes too, but A was cut off meanwhile
		{"5.7s", "A", met, "A acquire 10; B advert 100; B acquire 11"},
	})
}
