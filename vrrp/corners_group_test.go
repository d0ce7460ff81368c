package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestGroupCorners(t *testing.T) {
	lower := func(a, b *Config) { a.Announcements.LowerPrioRepeat, b.Announcements.LowerPrioRepeat = 2, 3 }
	offered := groupStep{"5s", "", Command{Kind: Switchover}, "A done; A advert 0; A offer; B done; B advert 0; B offer"}
	t.Run("a worse master has members announce once, and those that are master", func(t *testing.T) {
		g := pair(lower)
		playGroup(t, g, groupMaster(
			groupStep{"5s", "B", to(g, "B", low, 50), "B lower-priority-master; B advert 100; B announce 11 x3; A announce 10 x2"},
			groupStep{"5.05s", "B", to(g, "B", high, 0), ""},
			groupStep{"6s", "", fire, "A advert 100; B advert 100"},
		))
		g = pair(lower)
		playGroup(t, g, groupBackup(
			groupStep{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
			groupStep{"3.7s", "A", Acquired{}, "A announce 10 x5; A BACKUP>MASTER master-down"},
			groupStep{"3.8s", "A", to(g, "A", low, 50), "A lower-priority-master; A advert 100; A announce 10 x2"},
		))
		g = pair(lower)
		playGroup(t, g, groupMaster(
			groupStep{"5s", "B", to(g, "B", low, 150), "A advert 0; A offer"},
			groupStep{"5.1s", "B", PeerAnnounced{vip2}, "B release 11; B MASTER>BACKUP higher-priority"},
		))
	})
	t.Run("its deadline is that of its first member", func(t *testing.T) {
		g := pair(func(a, b *Config) { a.DownTimerAdverts, b.DownTimerAdverts = 9, 5 })
		playGroup(t, g, groupBackup())
		if got := g.Deadline().Sub(epoch); got != 5609375*time.Microsecond {
			t.Errorf("deadline %v, want 5.609375s", got)
		}
	})
	t.Run("an owner waits for who starts after it", func(t *testing.T) {
		g := pair(func(_, b *Config) { b.Priority, b.StateMaster = 255, true })
		playGroup(t, g, []groupStep{
			{"0s", "A", up, ""},
			{"0s", "B", up, ""},
			{"0s", "B", Start{}, ""},
			{"0s", "A", Start{}, "A INIT>BACKUP start; B INIT>BACKUP start; G INIT>BACKUP start"},
		})
	})
	t.Run("who takes addresses back has a full timer", func(t *testing.T) {
		g := pair(nil)
		playGroup(t, g, groupBackup(
			groupStep{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
			groupStep{"3.7s", "B", to(g, "B", low, 150), "B release 11; A advert 0; A release 10"},
		))
		if at := g.Members()[0].MasterDownAt().Sub(epoch); at != 7309375*time.Microsecond {
			t.Errorf("A takes over at %v, want 7.309375s", at)
		}
	})
	t.Run("who leaves with the others has a full timer", func(t *testing.T) {
		g := pair(nil)
		playGroup(t, g, groupMaster(offered,
			groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
			groupStep{"6.5s", "", fire, "B release 11; B MASTER>BACKUP offer; B offer-taken; B hold"},
		))
		if at := g.Members()[1].MasterDownAt().Sub(epoch); at != 10496093750*time.Nanosecond {
			t.Errorf("B takes over at %v, want 10.49609375s", at)
		}
	})
	t.Run("a longer interval that a reload brings is waited for by all", func(t *testing.T) {
		g := pair(nil)
		cfg := g.Members()[0].Config()
		cfg.AdvertInterval = 3 * time.Second
		playGroup(t, g, groupMaster(
			groupStep{"4.7s", "A", Reconfigure{cfg}, ""},
			offered,
			groupStep{"6.5s", "", fire, ""},
			groupStep{"8.5s", "", fire, "A advert 100; A announce 10 x5; A offer-rolled-back; B advert 100; B announce 11 x5; B offer-rolled-back"},
		))
	})
}

// A member that is no master yet takes no part in what those do that are.
func TestGroupWithAMemberThatIsNoMaster(t *testing.T) {
	joined := func(g *Group) *Group {
		playGroup(t, g, groupMaster())
		c := plain()
		c.Name, c.VRID, c.Addresses = "C", 53, []netip.Addr{high}
		return NewGroup("G", g.Members()[0], g.Members()[1], NewRouter(c))
	}
	begin := []groupStep{
		{"5s", "C", up, ""},
		{"5s", "C", Start{}, "C INIT>BACKUP start"},
	}
	t.Run("it takes no part in an offer, and ends none", func(t *testing.T) {
		g := joined(pair(func(a, _ *Config) { a.OfferIneligible = true }))
		cfg := g.Members()[0].Config()
		cfg.Conditional = true
		playGroup(t, g, append(slices.Clone(begin),
			groupStep{"5.1s", "A", Reconfigure{cfg}, ""},
			groupStep{"5.2s", "A", unmet, "A advert 0; A offer; B advert 0; B offer"},
			groupStep{"5.3s", "", fire, ""},
		))
	})
	t.Run("where it hears a worse master it pulls no other", func(t *testing.T) {
		g := joined(pair(nil))
		playGroup(t, g, append(slices.Clone(begin),
			groupStep{"5.1s", "C", to(g, "C", low, 50), "C lower-priority-master"},
			groupStep{"5.2s", "C", to(g, "C", low, 150), "A advert 0; A offer; B advert 0; B offer"},
		))
	})
}

// A group that is built around routers is what they are.
func TestGroupStateOfRunningMembers(t *testing.T) {
	running := func(script []step) *Router { return play(t, plain(), script) }
	fault := asBackup(step{"1s", Fault{Cause: "script", Active: true}, "BACKUP>FAULT fault"})
	for name, c := range map[string]struct {
		members [][]step
		want    State
	}{
		"none":               {nil, Init},
		"one that is new":    {[][]step{nil}, Init},
		"new and backup":     {[][]step{nil, asBackup()}, Backup},
		"master and new":     {[][]step{asMaster(), nil}, Master},
		"master and backup":  {[][]step{asMaster(), asBackup()}, Backup},
		"backup and master":  {[][]step{asBackup(), asMaster()}, Backup},
		"master and fault":   {[][]step{asMaster(), fault}, Failed},
		"fault and a master": {[][]step{fault, asMaster()}, Failed},
	} {
		var members []*Router
		for _, script := range c.members {
			members = append(members, running(script))
		}
		if got := NewGroup("G", members...).State(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
