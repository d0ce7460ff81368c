package vrrp

import (
	"testing"
	"time"
)

func damped(c *Config) { c.Damping = Damping{Flaps: 2, Window: time.Minute, Hold: 5 * time.Minute} }

var (
	fails    = Fault{Cause: "script", Active: true}
	recovers = Fault{Cause: "script"}
)

// flap is one loss of mastership at 4.5 s and being master again.
func flap(more ...step) []step {
	return asMaster(append([]step{
		{"4.5s", fails, "advert 0; release 10,11; MASTER>FAULT fault"},
		{"6s", recovers, "FAULT>BACKUP recovered"},
		{"9.609375s", fire, "advert 100; acquire 10,11"},
		{"9.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	}, more...)...)
}

// A router that has lost its mastership often enough leaves a worse master in place
// until the time is over, and preempts then.
func TestFlapDamping(t *testing.T) {
	script := flap(
		step{"10s", fails, "advert 0; release 10,11; MASTER>FAULT fault; flap-damping"},
		step{"11s", recovers, "FAULT>BACKUP recovered"},
		step{"12s", from(low, 50), ""},
		step{"0s", nil, "15.99609375s"},
		step{"309.9s", from(low, 50), ""},
		step{"0s", nil, "5m10s"},
		step{"310s", fire, "flap-damping-ended"},
		step{"310.9s", from(low, 50), "lower-priority-master"},
		step{"313.509375s", fire, "acquire 10,11"},
	)
	r := play(t, with(damped), script[:len(script)-4])
	if got := r.Status().DampedUntil; !got.Equal(epoch.Add(310 * time.Second)) {
		t.Errorf("damped until %v", got.Sub(epoch))
	}
	play(t, with(damped), script)
}

// Where no other master is heard, a damped router serves.
func TestFlapDampingServesAlone(t *testing.T) {
	play(t, with(damped), flap(
		step{"10s", fails, "advert 0; release 10,11; MASTER>FAULT fault; flap-damping"},
		step{"11s", recovers, "FAULT>BACKUP recovered"},
		step{"0s", nil, "14.99609375s"}, // as the last of all backups
		step{"14.99609375s", fire, "advert 100; acquire 10,11"},
		step{"15s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		step{"20s", fails, "advert 100; advert 0; release 10,11; MASTER>FAULT fault"}, // and the time begins anew
		step{"0s", nil, "5m20s"},
	))
}

// Losses further apart than the window do not add up, nor do those that an operator
// ordered.
func TestFlapDampingCountsFlaps(t *testing.T) {
	play(t, with(damped), flap(
		step{"64s", fire, "advert 100"},
		step{"65s", fails, "advert 100; advert 0; release 10,11; MASTER>FAULT fault"},
		step{"0s", nil, "never"},
	))
	play(t, with(damped), flap(
		step{"10s", Command{Kind: Failover, Force: true}, "done; advert 0; release 10,11; MASTER>BACKUP command; hold"},
	))
	play(t, plain(), flap(
		step{"10s", fails, "advert 0; release 10,11; MASTER>FAULT fault"},
		step{"0s", nil, "never"},
	))
}

// A resume, a failover and a reload that changes it end damping.
func TestFlapDampingEnds(t *testing.T) {
	begin := flap(
		step{"10s", fails, "advert 0; release 10,11; MASTER>FAULT fault; flap-damping"},
		step{"11s", recovers, "FAULT>BACKUP recovered"},
	)
	play(t, with(damped), append(begin[:len(begin):len(begin)], step{"12s", Command{Kind: Resume}, "done; flap-damping-ended"}))
	play(t, with(damped), append(begin[:len(begin):len(begin)],
		step{"12s", Command{Kind: Failover}, "done; flap-damping-ended; priority 100>254; priority-forced; acquire 10,11"}))
	play(t, with(damped), append(begin[:len(begin):len(begin)], step{"12s", Reconfigure{plain()}, "flap-damping-ended"}))
	play(t, with(damped), append(begin[:len(begin):len(begin)],
		step{"12s", Shutdown{}, "BACKUP>INIT shutdown; stopped"}, step{"0s", nil, "never"}))
}

// What an earlier process began goes on, at most for as long as what begins now.
func TestFlapDampingSurvivesARestart(t *testing.T) {
	at := func(left time.Duration) Start { return Start{DampedUntil: epoch.Add(left)} }
	play(t, with(damped), []step{{"0s", up, ""},
		{"0s", at(time.Minute), "flap-damping; INIT>BACKUP start"},
		{"3s", from(low, 50), ""},
		{"0s", nil, "6.99609375s"},
		{"6s", from(low, 50), ""},
		{"9.99609375s", fire, "advert 100; acquire 10,11"},
	})
	play(t, with(damped), []step{{"0s", up, ""}, {"0s", at(time.Hour), "flap-damping; INIT>BACKUP start"}, {"300s", fire, "flap-damping-ended; advert 100; acquire 10,11"}})
	play(t, with(damped), []step{{"0s", up, ""}, {"0s", at(-time.Second), "INIT>BACKUP start"}})
	play(t, plain(), []step{{"0s", up, ""}, {"0s", at(time.Minute), "INIT>BACKUP start"}})
}

// A sync group follows its damped member.
func TestFlapDampingInAGroup(t *testing.T) {
	g := pair(func(a, _ *Config) { a.Damping = Damping{Flaps: 1, Window: time.Minute, Hold: time.Minute} })
	playGroup(t, g, groupMaster(
		groupStep{"5s", "A", fails, "A advert 0; A release 10; A MASTER>FAULT fault; A flap-damping; " +
			"B advert 0; B release 11; B MASTER>FAULT sync-group; G MASTER>FAULT fault"},
		groupStep{"6s", "A", recovers, "A FAULT>BACKUP recovered; B FAULT>BACKUP recovered; G FAULT>BACKUP recovered"},
		groupStep{"6.5s", "A", to(g, "A", low, 50), ""},
		groupStep{"6.5s", "B", to(g, "B", low, 50), "B lower-priority-master"},
		groupStep{"9.609375s", "", fire, ""},
		groupStep{"10s", "A", to(g, "A", low, 50), ""},
	))
}
