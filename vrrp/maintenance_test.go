package vrrp

import "testing"

var (
	maintenance = Maintenance{On: true}
	maintained  = Maintenance{}
)

// A backup in maintenance becomes master neither where nobody is, nor against a
// worse one, nor by an offer, nor by a failover without force.
func TestMaintenance(t *testing.T) {
	r := play(t, plain(), asBackup(
		step{"0.1s", maintenance, "maintenance"},
		step{"0.2s", maintenance, ""},
		step{"3.609375s", fire, "takeover-withheld"},
		step{"4s", from(low, 50), "lower-priority-master"},
		step{"5s", from(low, 0), ""},
		step{"5.7s", fire, "takeover-withheld"},
		step{"6s", Command{Kind: Failover}, "refused: this node may not take over: in maintenance by order of an operator; use force to take over all the same"},
		step{"7s", maintained, "maintenance-ended"},
		step{"0s", nil, "10.609375s"},
		step{"10.609375s", fire, "acquire 10,11"},
	))
	if r.Status().Maintenance {
		t.Error("still in maintenance")
	}
	t.Run("by force all the same", func(t *testing.T) {
		play(t, plain(), asBackup(
			step{"0.1s", maintenance, "maintenance"},
			step{"1s", Command{Kind: Failover, Force: true}, "done; priority 100>254; priority-forced; acquire 10,11"},
		))
	})
	t.Run("told before the start", func(t *testing.T) {
		play(t, with(func(c *Config) { c.Priority, c.StateMaster = 255, true }), []step{
			{"0s", up, ""},
			{"0s", maintenance, "maintenance"},
			{"0s", Start{}, "INIT>BACKUP start"},
			{"3.00390625s", fire, "takeover-withheld"},
		})
	})
}

// A master that goes into maintenance serves until a peer has taken its offer; where
// none does, it is master still. OfferIneligible is for the condition alone.
func TestMaintenanceOfAMaster(t *testing.T) {
	r := play(t, with(func(c *Config) { c.OfferIneligible = true }), asMaster(
		step{"4.1s", maintenance, "maintenance"},
		step{"4.2s", Command{Kind: Switchover}, "done; advert 0; offer"},
		step{"5.7s", fire, "advert 100; announce 10,11 x5; offer-rolled-back"},
		step{"6s", Command{Kind: Switchover}, "done; advert 0; offer"},
		step{"6.5s", from(low, 50), ""},
		step{"6.6s", PeerAnnounced{vip1}, "release 10"},
		step{"6.6s", PeerAnnounced{vip2}, "release 11; MASTER>BACKUP offer; offer-taken; hold"},
		step{"6.6s", Command{Kind: Resume}, "done; hold-ended"},
		step{"7.5s", from(low, 50), "lower-priority-master"},
		step{"30s", fire, "takeover-withheld"},
		step{"31s", maintained, "maintenance-ended"},
	))
	if s := r.Status(); s.Ineligible != "" || s.Hold {
		t.Errorf("after maintenance: %+v", s)
	}
}

// A sync group in maintenance stays backup whole.
func TestMaintenanceOfAGroup(t *testing.T) {
	g := pair(func(*Config, *Config) {})
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "", maintenance, "A maintenance; B maintenance"},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>BACKUP start; G INIT>BACKUP start"},
		{"3.609375s", "", fire, "A takeover-withheld; B takeover-withheld"},
		{"4s", "", maintained, "A maintenance-ended; B maintenance-ended"},
		{"7.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
	})
}
