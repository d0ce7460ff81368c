package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// What keepalived does beyond the RFC, one test a rule.

// Timers: a change of priority while BACKUP shifts the running expiry by the
// difference of the skews.
func TestPriorityChangeShiftsDownTimer(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", from(low, 150), ""},
		step{"0s", nil, "4.609375s"},
		step{"2s", Priority{Effective: 228, Cause: "script"}, "priority 100>228"},
		step{"0s", nil, "4.109375s"},
		step{"2s", Priority{Effective: 100}, "priority 228>100"},
		step{"2.1s", Priority{Effective: 100}, ""},
		step{"0s", nil, "4.609375s"},
	))
}

// Timers: down_timer_adverts takes the place of the RFC's three.
func TestDownTimerAdverts(t *testing.T) {
	play(t, with(func(c *Config) { c.DownTimerAdverts = 5 }), asBackup(step{"0s", nil, "5.609375s"}))
}

// Timers: version 2 never learns an interval; it drops one that differs.
func TestVersion2IntervalDiffers(t *testing.T) {
	cfg := with(func(c *Config) { c.Version = 2 })
	other := fromLike(cfg, low, 150)
	other.Packet.Interval = 200
	play(t, cfg, asBackup(
		step{"1s", other, "drop advert-interval"},
		step{"0s", nil, "3.609375s"},
		step{"1s", fromLike(cfg, low, 150), ""},
		step{"0s", nil, "4.609375s"},
	))
}

// Timers: version 3 learns the interval, and forgets it as master.
func TestVersion3LearnsInterval(t *testing.T) {
	slow := from(high, 200)
	slow.Packet.Interval = 300
	r := play(t, plain(), asBackup(
		step{"1s", slow, "advert-interval-differs"},
		step{"2s", slow, ""},
		step{"0s", nil, "12.828125s"},
		step{"12.828125s", fire, "advert 100; acquire 10,11"},
		step{"0s", nil, "13.828125s"},
		step{"13s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	))
	if got := r.Status().MasterInterval; got != time.Second {
		t.Errorf("a master goes by an interval of %v, want its own", got)
	}
}

// Start-up: state MASTER below priority 255 waits as long as BACKUP does.
func TestStateMasterStartsAsBackup(t *testing.T) {
	play(t, with(func(c *Config) { c.StateMaster = true }), asBackup(step{"0s", nil, "3.609375s"}))
}

// Start-up: an owner that is configured as state BACKUP waits like any backup.
func TestOwnerInStateBackup(t *testing.T) {
	play(t, with(func(c *Config) { c.Priority = 255 }), asBackup(step{"0s", nil, "3.00390625s"}))
}

// Start-up: vrrp_startup_delay holds the timers back and ignores adverts.
func TestStartupDelay(t *testing.T) {
	cfg := with(func(c *Config) { c.StartupDelay = 10 * time.Second })
	play(t, cfg, asBackup(
		step{"0s", nil, "10s"},
		step{"1s", from(low, 150), "drop not-participating"},
		step{"10s", fire, ""},
		step{"0s", nil, "13.609375s"},
	))
	play(t, cfg, asBackup(
		step{"1s", Fault{Cause: "script", Active: true}, "BACKUP>FAULT fault"},
		step{"10s", fire, ""},
		step{"11s", Fault{Cause: "script"}, "FAULT>BACKUP recovered"},
		step{"0s", nil, "14.609375s"},
	))
	cfg.Priority, cfg.StateMaster = 255, true
	play(t, cfg, asBackup(step{"10s", fire, "advert 255; acquire 10,11"}))
}

// Start-up: a router whose link is not known yet waits for it, without FAULT.
func TestStartWaitsForTheLink(t *testing.T) {
	play(t, plain(), []step{
		{"0s", Start{}, ""},
		{"0.5s", fire, ""},
		{"0s", nil, "never"},
		{"1s", up, "INIT>BACKUP start"},
		{"0s", nil, "4.609375s"},
	})
	play(t, plain(), []step{
		{"0s", Fault{Cause: "script", Active: true}, ""},
		{"0s", up, ""},
		{"0s", Start{}, "INIT>FAULT fault"},
		{"1s", Fault{Cause: "script"}, "FAULT>BACKUP recovered"},
	})
}

// Start-up: a process that comes back within one master down interval of its last
// advert is master again at once; later, held, or after another it is not.
func TestResumeAfterRestart(t *testing.T) {
	play(t, plain(), []step{
		{"0s", up, ""},
		{"3.6s", Start{LastAdvert: epoch}, "advert 100; acquire 10,11"},
		{"3.61s", Acquired{}, "announce 10,11 x5; INIT>MASTER resumed-after-restart"},
	})
	play(t, plain(), []step{
		{"0s", up, ""},
		{"3.61s", Start{LastAdvert: epoch}, "INIT>BACKUP start"},
	})
	play(t, plain(), []step{
		{"0s", up, ""},
		{"1s", Start{LastAdvert: epoch, Hold: true}, "hold; INIT>BACKUP start"},
		{"0s", nil, "4.99609375s"},
	})
	play(t, plain(), []step{
		{"0s", up, ""},
		{"1s", Start{LastAdvert: epoch}, "advert 100; acquire 10,11"},
		{"1.01s", from(low, 101), "release 10,11; INIT>BACKUP higher-priority"},
		{"0s", nil, "4.619375s"},
	})
}

// In BACKUP: preempt_delay tolerates a lower master from its first advert on; the
// clock is cancelled by one that is not lower.
func TestPreemptDelay(t *testing.T) {
	cfg := with(func(c *Config) { c.PreemptDelay = 5 * time.Second })
	play(t, cfg, asBackup(
		step{"1s", from(low, 50), ""},
		step{"0s", nil, "4.609375s"},
		step{"5.9s", from(low, 50), ""},
		step{"0s", nil, "9.509375s"},
		step{"6s", from(low, 50), "lower-priority-master"},
		step{"0s", nil, "9.509375s"},
		step{"7s", from(high, 100), ""},
		step{"8s", from(low, 50), ""},
		step{"0s", nil, "11.609375s"},
	))
}

// In BACKUP: preempt_delay begins anew with each time in BACKUP.
func TestPreemptDelayIsForgottenAsMaster(t *testing.T) {
	play(t, with(func(c *Config) { c.PreemptDelay = 5 * time.Second }), asBackup(
		step{"1s", from(low, 50), ""},
		step{"4.609375s", fire, "advert 100; acquire 10,11"},
		step{"4.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		step{"5s", from(low, 150), ""},
		step{"6s", from(low, 150), "release 10,11; MASTER>BACKUP higher-priority"},
		step{"7s", from(low, 50), ""}, // the first of this time: tolerated for 5 s
		step{"0s", nil, "10.609375s"},
		step{"10.6s", from(low, 50), ""},
		step{"12s", from(low, 50), "lower-priority-master"},
	))
}

// A reload without preempt_delay ends the tolerance at once.
func TestReconfigurePreemptDelay(t *testing.T) {
	play(t, with(func(c *Config) { c.PreemptDelay = 5 * time.Second }), asBackup(
		step{"1s", from(low, 50), ""},
		step{"2s", Reconfigure{plain()}, ""},
		step{"3s", from(low, 50), "lower-priority-master"},
		step{"0s", nil, "4.609375s"},
	))
}

// In BACKUP: preemption comes with the running timer, never at once, and serves
// before it advertises, since the lower master lives.
func TestPreemptionOfALivingMaster(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", from(low, 50), "lower-priority-master"},
		step{"2s", from(low, 50), ""},
		step{"3s", from(low, 50), ""},
		step{"3.609375s", fire, "acquire 10,11"},
		step{"3.61s", from(low, 50), ""},
		step{"3.65s", Acquired{Serial: 1}, "advert 100; announce 10,11 x5; BACKUP>MASTER preempt"},
		step{"0s", nil, "4.65s"},
	))
}

// In BACKUP: a master that gave up with priority 0 may still serve (an offer), so
// that we serve before we advert.
func TestTakeoverAfterPriority0(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", from(low, 150), ""},
		step{"2s", from(low, 0), ""},
		step{"2.609375s", fire, "acquire 10,11"},
		step{"2.65s", Acquired{}, "advert 100; announce 10,11 x5; BACKUP>MASTER priority-0"},
	))
}

// In BACKUP: a master that has failed serves nobody, so that the advert goes first.
func TestTakeoverFromAFailedMaster(t *testing.T) {
	r := play(t, plain(), asBackup(
		step{"1s", from(low, 150), ""},
		step{"4.609375s", fire, "advert 100; acquire 10,11"},
		step{"4.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	))
	if got, want := r.Status().Cause.Detail, "no advert for 3.609s, last from 192.0.2.1 priority 150"; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
}

// While acquiring, adverts go out in their interval and are answered by a master's
// rules; once a better master is heard, the addresses go back.
func TestAdvertsWhileAcquiring(t *testing.T) {
	begin := asBackup(step{"3.609375s", fire, "advert 100; acquire 10,11"})
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4.609375s", fire, "advert 100"},
		step{"4.7s", from(low, 0), "advert 100"},
		step{"4.8s", from(low, 100), "advert 100"},
		step{"4.9s", from(high, 100), "release 10,11"},
		step{"0s", nil, "8.509375s"},
		step{"5s", Acquired{Serial: 1}, ""},
	))
	play(t, with(func(c *Config) { c.LowerPrioNoAdvert = true }), append(begin[:len(begin):len(begin)],
		step{"4s", from(low, 100), ""},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4s", LinkState{Source: us}, "advert 0; release 10,11; BACKUP>FAULT link"},
	))
	play(t, plain(), append(begin[:len(begin):len(begin)],
		step{"4s", Shutdown{Limit: time.Second}, "advert 0; release 10,11; BACKUP>INIT shutdown; stopped"},
	))
	t.Run("before the first advert a backup's rules hold", func(t *testing.T) {
		play(t, plain(), asBackup(
			step{"1s", from(low, 0), ""},
			step{"1.609375s", fire, "acquire 10,11"},
			step{"1.62s", from(low, 99), ""},
			step{"1.63s", from(low, 100), "release 10,11"},
		))
	})
	t.Run("an answer to an Acquire that was given up counts for nothing", func(t *testing.T) {
		play(t, plain(), append(begin[:len(begin):len(begin)],
			step{"4s", from(high, 200), "release 10,11"},
			step{"7.609375s", fire, "advert 100; acquire 10,11"},
			step{"7.61s", Acquired{Serial: 1}, ""},
			step{"7.61s", AcquireFailed{Serial: 1, Cause: "busy"}, ""},
			step{"7.62s", Acquired{Serial: 2}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		))
	})
}

// In MASTER: lower_prio_no_advert keeps silent, garp_lower_prio_repeat announces
// and, after garp_lower_prio_delay, announces again.
func TestLowerMasterHeardByMaster(t *testing.T) {
	play(t, with(func(c *Config) { c.LowerPrioNoAdvert = true }), asMaster(
		step{"4.2s", from(low, 50), "lower-priority-master"},
		step{"0s", nil, "4.609375s"},
	))
	cfg := with(func(c *Config) {
		c.Announcements.LowerPrioRepeat = 3
		c.Announcements.LowerPrioDelay = 300 * time.Millisecond
	})
	play(t, cfg, asMaster(
		step{"4.2s", from(low, 50), "lower-priority-master; advert 100; announce 10,11 x3"},
		step{"4.5s", fire, "announce 10,11 x3"},
		step{"0s", nil, "5.2s"},
	))
}

// In MASTER: higher_prio_send_advert sends one advert before yielding.
func TestHigherPrioSendAdvert(t *testing.T) {
	play(t, with(func(c *Config) { c.HigherPrioSendAdvert = true }), asMaster(
		step{"4.2s", from(low, 150), "advert 100"},
		step{"4.21s", from(low, 150), ""}, // its answer to ours
		step{"5.21s", from(low, 150), "release 10,11; MASTER>BACKUP higher-priority"},
	))
}

// In MASTER: our own adverts coming back, or another host with our address, are
// told and change nothing.
func TestOwnAdvert(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.2s", from(us, 100), "own-advert-heard; drop own-advert"},
		step{"4.3s", from(us, 200), "drop own-advert"},
		step{"0s", nil, "4.609375s"},
	))
}

// Two owners: the higher address stays, as RFC 9568 has it for any priority; the
// other says what is wrong, and goes by 254 until the first is gone. (keepalived
// lets both be master for some adverts more.)
func TestTwoOwners(t *testing.T) {
	cfg := with(func(c *Config) { c.Priority, c.StateMaster = 255, true })
	owner := func(peer netip.Addr) Advert { return fromLike(cfg, peer, 255) }
	script := []step{
		{"0s", up, ""},
		{"0s", Start{}, "advert 255; acquire 10,11"},
		{"0s", Acquired{}, "announce 10,11 x5; INIT>MASTER start"},
	}
	play(t, cfg, append(script[:3:3],
		step{"0.5s", owner(low), "two-owners; lower-priority-master; advert 255"},
		step{"0.6s", owner(low), "lower-priority-master; advert 255"}))
	reduced := append(script[:3:3],
		step{"0.5s", owner(high), "two-owners; priority 255>254"},
		step{"1.5s", owner(high), "release 10,11; MASTER>BACKUP higher-priority"},
		step{"2s", owner(high), ""},
		step{"0s", nil, "5.0078125s"})
	play(t, cfg, append(reduced[:len(reduced):len(reduced)],
		step{"5.0078125s", fire, "priority 254>255; advert 255; acquire 10,11"}))
	play(t, cfg, append(reduced[:len(reduced):len(reduced)],
		step{"3s", LinkState{}, "priority 254>255; BACKUP>FAULT link"}))
	play(t, cfg, append(reduced[:len(reduced):len(reduced)],
		step{"3s", Reconfigure{plain()}, "priority 254>100"},
		step{"3s", Reconfigure{cfg}, "priority 100>255"}))
	play(t, cfg, append(script[:3:3],
		step{"0.5s", owner(high), "two-owners; priority 255>254"},
		step{"3.5s", fire, "priority 254>255; advert 255; announce 10,11 x5; offer-rolled-back"}))
	play(t, cfg, append(script[:2:2],
		step{"0s", owner(high), "two-owners; priority 255>254; release 10,11; INIT>BACKUP higher-priority"}))
	cfg.OwnerIgnoreAdverts = true
	play(t, cfg, append(script[:3:3],
		step{"0.5s", owner(high), "drop owner-ignores"}))
}

// keepalived restarts a master's advert timer with every packet, so that a stream
// of invalid ones silences it. Ours goes on, even where no TimerFired comes.
func TestFloodDoesNotDelayAdverts(t *testing.T) {
	r := play(t, plain(), asMaster())
	bad := from(low, 50)
	bad.Packet.Version = 2
	adverts := 0
	for at := 4 * time.Second; at < 14*time.Second; at += 10 * time.Millisecond {
		for _, o := range r.Step(epoch.Add(at), bad, nil) {
			if _, ok := o.(SendAdvert); ok {
				adverts++
			}
		}
	}
	if adverts != 10 {
		t.Errorf("%d adverts in ten seconds, want 10", adverts)
	}
}

// timer_expired_backup: a master that was kept from running until a backup of that
// priority must have taken over leaves the addresses to it, without priority 0.
func TestTimerExpiredBackup(t *testing.T) {
	cfg := with(func(c *Config) { c.Preempt = false; c.TimerExpiredBackup = 200 })
	play(t, cfg, asMaster(
		step{"4.609375s", fire, "advert 100"},
		step{"7.8s", fire, "advert 100"}, // 3.19 s after the last
		step{"0s", nil, "8.8s"},
		step{"11.018s", fire, "advert 100"}, // 3.218 s, and the skew of 200 is 56/256 s
		step{"14.24s", fire, "release 10,11; MASTER>BACKUP timer-expired"},
		step{"0s", nil, "17.849375s"},
		step{"14.3s", from(low, 50), ""},
	))
	play(t, cfg, asMaster(
		step{"9s", from(low, 50), "release 10,11; MASTER>BACKUP timer-expired"},
		step{"0s", nil, "12.609375s"},
	))
	play(t, with(func(c *Config) { c.Preempt = false }), asMaster(
		step{"60s", fire, "advert 100"},
	))
	play(t, cfg, asMaster( // what we gave out of our hands is not late
		step{"4.609375s", fire, "advert 100"},
		step{"5s", Command{Kind: Switchover}, "done; advert 0; offer"},
		step{"20s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
	))
}

// Unicast: old_unicast_checksum sends the old checksum, or neither sends nor takes
// it; without the keyword it follows the peer (TestOldChecksumIsAnswered).
func TestOldUnicastChecksum(t *testing.T) {
	for _, c := range []struct {
		mode  OldChecksumMode
		peers []Peer
		heard string // of an advert with the old checksum
		sent  bool
	}{
		{OldChecksumOn, []Peer{{Addr: low}}, "", true},
		{OldChecksumOn, nil, "", false},
		{OldChecksumNever, []Peer{{Addr: low}}, "drop checksum", false},
	} {
		cfg := with(func(x *Config) { x.Peers, x.OldUnicastChecksum = c.peers, c.mode })
		r := play(t, cfg, asBackup())
		if out := r.Step(epoch.Add(4e9), fire, nil); out[0].(SendAdvert).Packet.OldChecksum != c.sent {
			t.Errorf("%q with %d peers sends the old checksum: %v, want %v", c.mode, len(c.peers), !c.sent, c.sent)
		}
		if len(c.peers) > 0 {
			old := from(low, 150)
			old.Packet.OldChecksum = true
			play(t, cfg, asBackup(step{"1s", old, c.heard}))
		}
	}
}

// Unicast: on leaving FAULT our own address is announced, for that is where peers
// send to.
func TestUnicastAnnouncesItselfAfterFault(t *testing.T) {
	play(t, with(func(c *Config) { c.Peers = []Peer{{Addr: low}} }), asBackup(
		step{"1s", LinkState{}, "BACKUP>FAULT link"},
		step{"2s", up, "FAULT>BACKUP recovered; announce 5 x1"},
	))
}

// Strict mode is nothing of its own here: it is configured as lower_prio_no_advert,
// no garp_lower_prio_repeat, no preempt_delay and, of an owner, owner_ignore_adverts.
func TestStrictMode(t *testing.T) {
	strict := func(c *Config) { c.LowerPrioNoAdvert = true }
	play(t, with(strict), asMaster(
		step{"4.2s", from(low, 50), "lower-priority-master"},
		step{"4.609375s", fire, "advert 100"},
	))
	play(t, with(func(c *Config) { strict(c); c.Priority, c.StateMaster, c.OwnerIgnoreAdverts = 255, true, true }), []step{
		{"0s", up, ""},
		{"0s", Start{}, "advert 255; acquire 10,11"},
		{"0s", Acquired{}, "announce 10,11 x5; INIT>MASTER start"},
		{"0.5s", from(high, 255), "drop owner-ignores"},
	})
}

// Becoming MASTER: a burst at once, one after garp_master_delay, then one each
// garp_master_refresh, the first at delay and refresh. Leaving cancels them all.
func TestAnnouncements(t *testing.T) {
	cfg := with(func(c *Config) {
		c.Excluded = []netip.Addr{netip.MustParseAddr("2001:db8::7")}
		c.AdvertInterval = 40 * time.Second
		c.Announcements = Announcements{Repeat: 5, Delay: 5 * time.Second, Refresh: 10 * time.Second, RefreshRepeat: 2}
	})
	r := play(t, cfg, asBackup(
		step{"144.375s", fire, "advert 100; acquire 10,11,7"},
		step{"145s", Acquired{}, "announce 10,11,7 x5; BACKUP>MASTER master-down"},
		step{"0s", nil, "2m30s"},
		step{"150s", fire, "announce 10,11,7 x5"},
		step{"0s", nil, "2m40s"},
		step{"160s", fire, "announce 10,11,7 x2"},
		step{"170s", fire, "announce 10,11,7 x2"},
		step{"171s", fromLike(cfg, low, 150), ""},
		step{"0s", nil, "4m51s"},
	))
	resume(t, r, []step{
		{"181s", fire, ""}, // while it hands over, nothing is announced
		{"211s", fromLike(cfg, low, 150), "release 10,11,7; MASTER>BACKUP higher-priority"},
		{"0s", nil, "5m55.375s"},
	})
}

// FAULT as well ends the announcements that were still to come.
func TestFaultEndsAnnouncements(t *testing.T) {
	cfg := with(func(c *Config) {
		c.Announcements = Announcements{Repeat: 5, Delay: 5 * time.Second, Refresh: 5 * time.Second}
	})
	play(t, cfg, asMaster(
		step{"4.1s", LinkState{}, "advert 0; release 10,11; MASTER>FAULT link"},
		step{"0s", nil, "never"},
	))
}

// A reload starts, moves and stops the refreshing rounds of a running master.
func TestReconfigureRefresh(t *testing.T) {
	refresh := func(d time.Duration) Reconfigure {
		return Reconfigure{with(func(c *Config) { c.Announcements.Refresh = d; c.AdvertInterval = 40 * time.Second })}
	}
	play(t, refresh(0).Config, asBackup(
		step{"144.375s", fire, "advert 100; acquire 10,11"},
		step{"145s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		step{"150s", refresh(20 * time.Second), ""},
		step{"0s", nil, "2m50s"},
		step{"155s", refresh(10 * time.Second), ""},
		step{"165s", fire, "announce 10,11 x1"},
		step{"170s", refresh(10 * time.Second), ""},
		step{"0s", nil, "2m55s"},
		step{"171s", refresh(0), ""},
		step{"0s", nil, "3m4.375s"},
	))
}

// FAULT: priority 0 once, addresses released, adverts ignored; back as BACKUP with
// a full timer when every reason is gone, whatever the priority.
func TestFaultAndRecovery(t *testing.T) {
	r := play(t, plain(), asMaster(
		step{"4.1s", Fault{Cause: "script check", Active: true}, "advert 0; release 10,11; MASTER>FAULT fault"},
		step{"4.2s", LinkState{Up: true}, ""},
		step{"4.3s", from(low, 150), "drop not-participating"},
		step{"0s", nil, "never"},
	))
	if got := r.Status().Faults; len(got) != 2 {
		t.Errorf("faults %q, want the address and the script", got)
	}
	resume(t, r, []step{
		{"5s", up, ""},
		{"6s", Fault{Cause: "script check"}, "FAULT>BACKUP recovered"},
		{"0s", nil, "9.609375s"},
	})
	t.Run("an owner waits for one advert and the skew", func(t *testing.T) {
		play(t, with(func(c *Config) { c.Priority, c.StateMaster = 255, true }), []step{
			{"0s", LinkState{Source: us}, ""},
			{"0s", Start{}, "INIT>FAULT link"},
			{"1s", up, "FAULT>BACKUP recovered"},
			{"0s", nil, "2.00390625s"},
		})
	})
}

// AcquireFailed: FAULT with its cause, and another try after a while.
func TestAcquireFailed(t *testing.T) {
	r := play(t, plain(), asBackup(
		step{"3.609375s", fire, "advert 100; acquire 10,11"},
		step{"4s", AcquireFailed{Serial: 1, Cause: "no such device"}, "advert 0; release 10,11; BACKUP>FAULT acquire-failed"},
		step{"0s", nil, "9s"},
		step{"9s", fire, "FAULT>BACKUP recovered"},
		step{"0s", nil, "12.609375s"},
		step{"12.609375s", fire, "advert 100; acquire 10,11"},
		step{"12.7s", Acquired{Serial: 2}, "announce 10,11 x5; BACKUP>MASTER master-down"},
	))
	if r.Status().Faults != nil {
		t.Errorf("faults %q remain", r.Status().Faults)
	}
	t.Run("before an advert went out there is nothing to take back", func(t *testing.T) {
		play(t, plain(), asBackup(
			step{"1s", from(low, 0), ""},
			step{"1.609375s", fire, "acquire 10,11"},
			step{"1.7s", AcquireFailed{Cause: "busy"}, "release 10,11; BACKUP>FAULT acquire-failed"},
		))
	})
}

// A lost address is put back in place at once, the fourth time in a minute slower.
// keepalived gives up being master for it.
func TestAddressLost(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.1s", AddressLost{vip2}, "address-lost; acquire 11"},
		step{"4.11s", Acquired{Serial: 2}, "announce 11 x5"},
		step{"4.2s", AddressLost{vip2}, "address-lost; acquire 11"},
		step{"4.3s", AddressLost{vip2}, "address-lost; acquire 11"},
		step{"4.35s", AddressLost{vip1}, "address-lost; acquire 10"},
		step{"4.36s", Acquired{Serial: 5}, "announce 11,10 x5"},
		step{"4.4s", AddressLost{vip2}, "address-lost"},
		step{"4.5s", AddressLost{vip2}, ""},
		step{"4.5s", AddressLost{high}, ""},
		step{"14.3s", fire, "advert 100"},
		step{"14.4s", fire, "acquire 11"},
		step{"65s", fire, "advert 100"},
		step{"65s", AddressLost{vip2}, "address-lost; acquire 11"},
	))
}

// Reconfigure keeps the state; addresses are acquired, announced and released as
// they differ, and a shorter interval counts from the next advert on.
func TestReconfigureMaster(t *testing.T) {
	cfg := with(func(c *Config) {
		c.Addresses = []netip.Addr{vip2, netip.MustParseAddr("192.0.2.12")}
		c.AdvertInterval = 200 * time.Millisecond
		c.Priority = 120
	})
	play(t, plain(), asMaster(
		step{"4.1s", Reconfigure{plain()}, ""},
		step{"4.1s", Reconfigure{cfg}, "priority 100>120; release 10; acquire 12"},
		step{"0s", nil, "4.3s"},
		step{"4.15s", Acquired{}, "announce 12 x5"},
		step{"4.3s", fire, "advert 120"},
		step{"4.4s", Reconfigure{plain()}, "priority 120>100; release 12; acquire 10"},
		step{"0s", nil, "4.5s"},
	))
}

// A tracker's contribution outlives a change of the base priority.
func TestReconfigurePriority(t *testing.T) {
	r := play(t, plain(), asBackup(
		step{"1s", Priority{Effective: 80}, "priority 100>80"},
		step{"1s", Reconfigure{with(func(c *Config) { c.Priority = 120 })}, "priority 80>100"},
		step{"0s", nil, "3.609375s"},
		step{"1s", Reconfigure{with(func(c *Config) { c.Priority, c.StateMaster = 255, true })}, "priority 100>255"},
	))
	if got := r.Config().Priority; got != 255 {
		t.Errorf("priority %d, want 255", got)
	}
}

// A backup's timers go by a new configuration; what it learned of its master stays.
func TestReconfigureBackup(t *testing.T) {
	slow := from(low, 150)
	slow.Packet.Interval = 200
	nopreempt := with(func(c *Config) { c.Preempt = false })
	play(t, plain(), asBackup(
		step{"0s", Reconfigure{with(func(c *Config) { c.AdvertInterval = 2 * time.Second })}, ""},
		step{"0s", nil, "7.21875s"},
		step{"0s", Reconfigure{plain()}, ""},
		step{"1s", slow, "advert-interval-differs"},
		step{"0s", nil, "8.21875s"},
		step{"2s", Reconfigure{nopreempt}, ""},
		step{"0s", nil, "8.21875s"},
		step{"3s", from(high, 1), ""},
		step{"0s", nil, "6.609375s"},
	))
}

// A router without addresses has nothing to wait for.
func TestNoAddresses(t *testing.T) {
	cfg := with(func(c *Config) { c.Addresses = nil })
	empty := from(low, 150)
	empty.Packet.Addresses = nil
	play(t, cfg, asBackup(
		step{"1s", empty, ""},
		step{"4.609375s", fire, "advert 100; BACKUP>MASTER master-down"},
		step{"5s", empty, "MASTER>BACKUP higher-priority"},
	))
}

// EffectivePriority clamps to 1..254, and leaves an owner alone.
func TestEffectivePriority(t *testing.T) {
	for _, c := range []struct {
		base  uint8
		with  []int
		want  uint8
		given uint8 // as a Priority input to a router with this base
	}{
		{100, nil, 100, 100},
		{100, []int{-20, 5}, 85, 85},
		{100, []int{-253}, 1, 0},
		{100, []int{200}, 254, 255},
		{255, []int{-100}, 255, 50},
	} {
		if got := EffectivePriority(c.base, c.with...); got != c.want {
			t.Errorf("EffectivePriority(%d, %v) = %d, want %d", c.base, c.with, got, c.want)
		}
		r := NewRouter(with(func(x *Config) { x.Priority = c.base }))
		r.Step(epoch, Priority{Effective: c.given}, nil)
		if got := r.Status().Priority; got != c.want {
			t.Errorf("Priority %d over base %d gives %d, want %d", c.given, c.base, got, c.want)
		}
	}
}
