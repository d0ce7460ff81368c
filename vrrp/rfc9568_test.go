package vrrp

import (
	"testing"
	"time"
)

// One test for each normative sentence of RFC 9568 6.4. Its "ARP and Neighbor
// Advertisement" are our Announce, and "Active" is our MASTER. The addresses are
// put on the interface between advert and announcement (Acquire, Acquired).

// 6.4.1: "If the Priority associated with the Virtual Router is 255, then send an
// ADVERTISEMENT; broadcast a gratuitous ARP [...] for each IPvX address; set the
// Adver_Timer to Advertisement_Interval; transition to the Active state."
func TestRFC9568Section641OwnerStartsAsMaster(t *testing.T) {
	cfg := with(func(c *Config) { c.Priority = 255; c.StateMaster = true })
	play(t, cfg, []step{
		{"0s", up, ""},
		{"0s", Start{}, "advert 255; acquire 10,11"},
		{"0.01s", Acquired{}, "announce 10,11 x5; INIT>MASTER start"},
		{"0s", nil, "1s"},
	})
}

// 6.4.1: "Else, set Active_Adver_Interval to Advertisement_Interval; set the
// Active_Down_Timer to Active_Down_Interval; transition to the Backup state."
func TestRFC9568Section641OthersStartAsBackup(t *testing.T) {
	r := play(t, plain(), asBackup(step{"0s", nil, "3.609375s"}))
	if got := r.Status().MasterInterval; got != time.Second {
		t.Errorf("Active_Adver_Interval %v, want 1s", got)
	}
}

// 6.4.2: "If a Shutdown event is received, then cancel the Active_Down_Timer;
// transition to the Initialize state."
func TestRFC9568Section642Shutdown(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", Shutdown{Limit: 5 * time.Second}, "BACKUP>INIT shutdown; stopped"},
		step{"1s", nil, "never"},
		step{"9s", from(low, 200), ""},
	))
}

// 6.4.2: "If the Active_Down_Timer fires, then send an ADVERTISEMENT; broadcast a
// gratuitous ARP [...]; set the Adver_Timer to the Advertisement_Interval;
// transition to the Active state."
func TestRFC9568Section642ActiveDownTimerFires(t *testing.T) {
	play(t, plain(), asBackup(
		step{"3.6s", fire, ""},
		step{"3.609375s", fire, "advert 100; acquire 10,11"},
		step{"3.7s", Acquired{}, "announce 10,11 x5; BACKUP>MASTER master-down"},
		step{"0s", nil, "4.609375s"},
	))
}

// 6.4.2: "If the Priority in the ADVERTISEMENT is 0, then set the
// Active_Down_Timer to Skew_Time."
func TestRFC9568Section642PriorityZero(t *testing.T) {
	play(t, plain(), asBackup(
		step{"1s", from(low, 150), ""},
		step{"1.5s", from(low, 0), ""},
		step{"0s", nil, "2.109375s"},
	))
}

// 6.4.2: "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is
// greater than or equal to the local Priority, then set Active_Adver_Interval to
// Max Advertise Interval contained in the ADVERTISEMENT; recompute the Skew_Time;
// recompute the Active_Down_Interval; set the Active_Down_Timer."
func TestRFC9568Section642AcceptedAdvert(t *testing.T) {
	faster := from(low, 150)
	faster.Packet.Interval = 50
	// 3 * 0.5 s + 156/256 * 0.5 s
	play(t, plain(), asBackup(
		step{"1s", faster, "advert-interval-differs"},
		step{"0s", nil, "2.8046875s"},
	))
	t.Run("equal priority whatever the address", func(t *testing.T) {
		play(t, plain(), asBackup(
			step{"1s", from(low, 100), ""}, step{"0s", nil, "4.609375s"},
			step{"2s", from(high, 100), ""}, step{"0s", nil, "5.609375s"},
		))
	})
	t.Run("no preemption", func(t *testing.T) {
		play(t, with(func(c *Config) { c.Preempt = false }), asBackup(
			step{"1s", from(low, 50), ""}, step{"0s", nil, "4.609375s"},
		))
	})
}

// 6.4.2: "Else [the Priority is less than the local Priority and Preempt_Mode is
// True], discard the ADVERTISEMENT."
func TestRFC9568Section642LowerPriorityIsDiscarded(t *testing.T) {
	slower := from(low, 50)
	slower.Packet.Interval = 400
	play(t, plain(), asBackup(
		step{"1s", slower, "advert-interval-differs; lower-priority-master"},
		step{"0s", nil, "3.609375s"},
	))
}

// 6.4.2: "MUST NOT accept packets addressed to the IPvX address(es) associated
// with the Virtual Router": a backup holds none of them.
func TestRFC9568Section642BackupHoldsNoAddress(t *testing.T) {
	r := play(t, plain(), asMaster(
		step{"4.1s", from(high, 200), ""},
		step{"5.1s", from(high, 200), "release 10,11; MASTER>BACKUP higher-priority"},
	))
	if held := r.Status().Held; len(held) != 0 {
		t.Errorf("a backup holds %v", held)
	}
}

// 6.4.3: "If a Shutdown event is received, then cancel the Adver_Timer; send an
// ADVERTISEMENT with Priority = 0; transition to the Initialize state."
func TestRFC9568Section643Shutdown(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.1s", Shutdown{}, "advert 0; release 10,11; MASTER>INIT shutdown; stopped"},
		step{"0s", nil, "never"},
	))
}

// 6.4.3: "If the Adver_Timer fires, then send an ADVERTISEMENT; reset the
// Adver_Timer to Advertisement_Interval."
func TestRFC9568Section643AdverTimerFires(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.609s", fire, ""},
		step{"4.609375s", fire, "advert 100"},
		step{"0s", nil, "5.609375s"},
		step{"5.7s", fire, "advert 100"},
		step{"0s", nil, "6.609375s"}, // late once, in step again
		step{"9s", fire, "advert 100"},
		step{"0s", nil, "10s"}, // too late to catch up: one advert, not three
	))
}

// 6.4.3: "If the Priority in the ADVERTISEMENT is 0, then send an ADVERTISEMENT;
// reset the Adver_Timer to Advertisement_Interval."
func TestRFC9568Section643PriorityZero(t *testing.T) {
	play(t, plain(), asMaster(
		step{"4.2s", from(high, 0), "advert 100"},
		step{"0s", nil, "5.2s"},
	))
}

// 6.4.3: "If the Priority in the ADVERTISEMENT is greater than the local Priority,
// or equal and the primary IPvX address of the sender is greater than the local
// primary IPvX address, then cancel the Adver_Timer; set Active_Adver_Interval to
// Max Advertise Interval contained in the ADVERTISEMENT; recompute the Skew_Time
// and the Active_Down_Interval; set the Active_Down_Timer; transition to the
// Backup state."
//
// We do so once the better master serves, at the latest with its second advert.
func TestRFC9568Section643BetterMaster(t *testing.T) {
	better := from(low, 101)
	better.Packet.Interval = 200
	r := play(t, plain(), asMaster(
		step{"4.2s", better, "advert-interval-differs"},
		step{"0s", nil, "10.2s"},
		step{"6.2s", better, "release 10,11; MASTER>BACKUP higher-priority"},
		step{"0s", nil, "13.41875s"}, // 6.2 s + 3 * 2 s + 156/256 * 2 s
	))
	if got := r.Status().MasterInterval; got != 2*time.Second {
		t.Errorf("Active_Adver_Interval %v, want 2s", got)
	}
	t.Run("equal priority, greater address", func(t *testing.T) {
		play(t, plain(), asMaster(
			step{"4.2s", from(high, 100), ""},
			step{"5.2s", from(high, 100), "release 10,11; MASTER>BACKUP higher-priority"},
		))
	})
}

// 6.4.3: "Else [worse], discard the ADVERTISEMENT; send an ADVERTISEMENT
// immediately to assert the Active state to the sending router and to any
// learning bridges"; the Adver_Timer starts again.
func TestRFC9568Section643WorseMaster(t *testing.T) {
	for _, worse := range []Advert{from(high, 99), from(low, 100)} {
		play(t, plain(), asMaster(
			step{"4.2s", worse, "lower-priority-master; advert 100"},
			step{"0s", nil, "5.2s"},
		))
	}
}

// 6.1: "Skew_Time = ((256 - Priority) * Active_Adver_Interval) / 256" and
// "Active_Down_Interval = (3 * Active_Adver_Interval) + Skew_Time"; RFC 3768 6.1
// has the skew in seconds whatever the interval.
func TestRFC9568Section61Timers(t *testing.T) {
	for _, c := range []struct {
		version  uint8
		priority uint8
		interval time.Duration
		want     string
	}{
		{3, 1, time.Second, "3.99609375s"},
		{3, 254, time.Second, "3.0078125s"},
		{3, 100, 10 * time.Millisecond, "36.09375ms"},
		{3, 100, 40950 * time.Millisecond, "2m27.80390625s"},
		{2, 100, time.Second, "3.609375s"},
		{2, 100, 20 * time.Second, "1m0.609375s"},
		{2, 1, 255 * time.Second, "12m45.99609375s"},
	} {
		cfg := with(func(x *Config) { x.Version, x.Priority, x.AdvertInterval = c.version, c.priority, c.interval })
		play(t, cfg, asBackup(step{"0s", nil, c.want}))
	}
}
