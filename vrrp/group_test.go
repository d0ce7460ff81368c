package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A groupStep is a step with the member that it is for; its outputs are written
// with their member's letter, the group's own with "G".
type groupStep struct {
	at     string
	member string
	in     Input
	want   string
}

// pair is a sync group of A and B, alike but for VRID and addresses.
func pair(change func(a, b *Config)) *Group {
	a, b := plain(), plain()
	a.Name, a.Addresses = "A", []netip.Addr{vip1}
	b.Name, b.Addresses, b.VRID = "B", []netip.Addr{vip2}, 52
	if change != nil {
		change(&a, &b)
	}
	return NewGroup("G", NewRouter(a), NewRouter(b))
}

// to is an advert for a member of pair.
func to(g *Group, member string, peer netip.Addr, priority uint8) Advert {
	i := slices.IndexFunc(g.Members(), func(r *Router) bool { return r.cfg.Name == member })
	return fromLike(g.Members()[i].cfg, peer, priority)
}

func playGroup(t *testing.T, g *Group, script []groupStep) {
	t.Helper()
	for i, s := range script {
		at, err := time.ParseDuration(s.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := groupLine(g.Step(epoch.Add(at), GroupInput{s.member, s.in}, nil)); got != s.want {
			t.Fatalf("step %d: at %s %s %T%+v:\ngot  %s\nwant %s", i, s.at, s.member, s.in, s.in, got, s.want)
		}
	}
}

func groupLine(outs []GroupOutput) string {
	var words []string
	for _, o := range outs {
		who := o.Member
		if who == "" {
			who = "G"
		}
		words = append(words, who+" "+word(o.Output))
	}
	return strings.Join(words, "; ")
}

func groupBackup(more ...groupStep) []groupStep {
	return append([]groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>BACKUP start; G INIT>BACKUP start"},
	}, more...)
}

func groupMaster(more ...groupStep) []groupStep {
	return groupBackup(append([]groupStep{
		{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		{"3.7s", "A", Acquired{}, "A announce 10 x5; A BACKUP>MASTER master-down"},
		{"3.7s", "B", Acquired{}, "B announce 11 x5; B BACKUP>MASTER master-down; G BACKUP>MASTER master-down"},
		{"4.609375s", "", fire, "A advert 100; B advert 100"},
	}, more...)...)
}

// A member becomes master only when all the others wish it too.
func TestGroupWaitsForAll(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupBackup(
		groupStep{"1s", "B", to(g, "B", low, 150), ""},
		groupStep{"3.609375s", "", fire, ""},
		groupStep{"4s", "B", to(g, "B", low, 150), ""},
		groupStep{"7.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
	))
}

// A wish ends with an advert that is accepted.
func TestGroupWishEnds(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupBackup(
		groupStep{"1s", "B", to(g, "B", low, 150), ""},
		groupStep{"3.609375s", "", fire, ""},
		groupStep{"4s", "A", to(g, "A", low, 150), ""},
		groupStep{"4.609375s", "", fire, ""},
	))
}

// One member in FAULT puts all there; they come back together.
func TestGroupFault(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster(
		groupStep{"5s", "B", LinkState{Cause: "eth1 is down"}, "B advert 0; B release 11; B MASTER>FAULT link; " +
			"A advert 0; A release 10; A MASTER>FAULT sync-group; G MASTER>FAULT link"},
		groupStep{"5.1s", "A", Fault{Cause: "script", Active: true}, ""},
		groupStep{"5.2s", "B", up, ""},
	))
	if got := g.Members()[1].Status().Faults; len(got) != 1 || got[0] != "sync group member A is in FAULT" {
		t.Errorf("faults of B %q", got)
	}
	playGroup(t, g, []groupStep{
		{"6s", "A", Fault{Cause: "script"}, "A FAULT>BACKUP recovered; B FAULT>BACKUP recovered; G FAULT>BACKUP recovered"},
	})
}

// What is known of a member before its Start does not count yet.
func TestGroupFaultBeforeStart(t *testing.T) {
	playGroup(t, pair(nil), []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", LinkState{}, ""},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>FAULT link; A BACKUP>FAULT sync-group; G INIT>FAULT link"},
	})
}

// Addresses of one member that cannot be had fault the others.
func TestGroupAcquireFailed(t *testing.T) {
	playGroup(t, pair(nil), groupBackup(
		groupStep{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		groupStep{"3.7s", "A", Acquired{}, "A announce 10 x5; A BACKUP>MASTER master-down"},
		groupStep{"3.8s", "B", AcquireFailed{Cause: "busy"}, "B advert 0; B release 11; B BACKUP>FAULT acquire-failed; " +
			"A advert 0; A release 10; A MASTER>FAULT sync-group; G BACKUP>FAULT acquire-failed"},
		groupStep{"8.8s", "", fire, "B FAULT>BACKUP recovered; A FAULT>BACKUP recovered; G FAULT>BACKUP recovered"},
	))
}

// A group is offered whole; each member lets go on its own peer's signs, and one
// that has left pulls no other.
func TestGroupSwitchover(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster(
		groupStep{"5s", "A", Command{Kind: Switchover}, "A done; A advert 0; A offer; B done; B advert 0; B offer"},
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"5.61s", "A", PeerAnnounced{vip1}, "A release 10; A MASTER>BACKUP offer; A offer-taken; A hold"},
		groupStep{"5.9s", "B", to(g, "B", low, 50), ""},
		groupStep{"5.91s", "B", PeerAnnounced{vip2}, "B release 11; B MASTER>BACKUP offer; B offer-taken; B hold; G MASTER>BACKUP offer"},
	))
}

// A member whose peer stays silent follows at its deadline where another's has
// answered; a split group serves nobody.
func TestGroupFollowsOneAnswer(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster(
		groupStep{"5s", "", Command{Kind: Switchover}, "A done; A advert 0; A offer; B done; B advert 0; B offer"},
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"6.5s", "", fire, "B release 11; B MASTER>BACKUP offer; B offer-taken; B hold"},
		groupStep{"6.6s", "A", to(g, "A", low, 50), "A release 10; A MASTER>BACKUP offer; A offer-taken; A hold; G MASTER>BACKUP offer"},
	))
}

// A peer that gives up again, or falls silent, before any member has left to it:
// the whole group stays. One that does so after another member has left does not
// split the group.
func TestGroupPeerIsGone(t *testing.T) {
	begin := groupMaster(
		groupStep{"5s", "", Command{Kind: Switchover}, "A done; A advert 0; A offer; B done; B advert 0; B offer"},
	)
	g := pair(nil)
	playGroup(t, g, append(begin[:len(begin):len(begin)],
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"5.65s", "B", to(g, "B", low, 50), ""},
		groupStep{"5.7s", "A", to(g, "A", low, 0), ""},
		groupStep{"5.71s", "B", to(g, "B", low, 0), "B advert 100; B announce 11 x5; B offer-rolled-back; " +
			"A advert 100; A announce 10 x5; A offer-rolled-back"},
	))
	g = pair(nil)
	playGroup(t, g, append(begin[:len(begin):len(begin)],
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"5.61s", "B", to(g, "B", low, 50), ""},
		groupStep{"8.6s", "", fire, ""},
		groupStep{"8.61s", "", fire, "B advert 100; B announce 11 x5; B offer-rolled-back; " +
			"A advert 100; A announce 10 x5; A offer-rolled-back"},
	))
	g = pair(nil)
	playGroup(t, g, append(begin[:len(begin):len(begin)],
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"5.61s", "B", to(g, "B", low, 50), ""},
		groupStep{"6.61s", "B", to(g, "B", low, 50), "B release 11; B MASTER>BACKUP offer; B offer-taken; B hold"},
		groupStep{"6.62s", "A", to(g, "A", low, 0), ""},
		groupStep{"8.12s", "", fire, "A release 10; A MASTER>BACKUP offer; A offer-taken; A hold; G MASTER>BACKUP offer"},
	))
}

// Only where no member's peer answers is the group's offer rolled back. The window
// is the longest of the members'.
func TestGroupRollsBack(t *testing.T) {
	g := pair(func(a, _ *Config) { a.AdvertInterval = 100 * time.Millisecond })
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", Start{}, "A INIT>BACKUP start"},
		{"0s", "B", Start{}, "B INIT>BACKUP start; G INIT>BACKUP start"},
		{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		{"3.61s", "A", Acquired{}, "A announce 10 x5; A BACKUP>MASTER master-down"},
		{"3.61s", "B", Acquired{}, "B announce 11 x5; B BACKUP>MASTER master-down; G BACKUP>MASTER master-down"},
		{"3.7s", "", Command{Kind: Switchover}, "A done; A advert 0; A offer; B done; B advert 0; B offer"},
		{"4.5s", "", fire, ""},
		{"5.2s", "", fire, "A advert 100; A announce 10 x5; A offer-rolled-back; B advert 100; B announce 11 x5; B offer-rolled-back"},
	})
}

// Once a member yields to a better master, the others make an offer, too, and
// follow at the latest at their deadline; nobody holds.
func TestGroupYield(t *testing.T) {
	g := pair(nil)
	begin := groupMaster(
		groupStep{"5s", "B", to(g, "B", low, 150), "A advert 0; A offer"},
		groupStep{"5.1s", "B", PeerAnnounced{vip2}, "B release 11; B MASTER>BACKUP higher-priority"},
	)
	playGroup(t, g, append(begin[:len(begin):len(begin)],
		groupStep{"5.3s", "A", to(g, "A", low, 150), ""},
		groupStep{"5.4s", "A", PeerAnnounced{vip1}, "A release 10; A MASTER>BACKUP sync-group; G MASTER>BACKUP sync-group"},
	))
	for _, r := range g.Members() {
		if r.Status().Hold {
			t.Errorf("%s holds", r.cfg.Name)
		}
	}
	playGroup(t, pair(nil), append(begin[:len(begin):len(begin)],
		groupStep{"6.5s", "", fire, "A release 10; A MASTER>BACKUP sync-group; G MASTER>BACKUP sync-group"},
	))
}

// A better master that is heard while the group acquires takes it all back.
func TestGroupAbandonsTogether(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupBackup(
		groupStep{"3.609375s", "", fire, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		groupStep{"3.7s", "B", to(g, "B", low, 150), "B release 11; A advert 0; A release 10"},
	))
}

// An order that one member must refuse moves none.
func TestGroupRefusesWhole(t *testing.T) {
	g := pair(nil)
	refusal := "refused: B: the master 192.0.2.1 owns the addresses (priority 255): 254 cannot win against it"
	playGroup(t, g, groupBackup(
		groupStep{"1s", "B", to(g, "B", low, 255), ""},
		groupStep{"1.5s", "A", Command{Kind: Failover}, "A " + refusal + "; B " + refusal},
		groupStep{"1.6s", "A", Command{Kind: Resume}, "A done; B done"},
	))
}

// A failover takes the whole group.
func TestGroupFailover(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupBackup(
		groupStep{"1s", "B", to(g, "B", low, 150), ""},
		groupStep{"1.5s", "B", Command{Kind: Failover},
			"A done; A priority 100>254; A priority-forced; B done; B priority 100>254; B priority-forced; A acquire 10; B acquire 11"},
	))
}

// A Shutdown goes to every member, and each ends with its own peer.
func TestGroupShutdown(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster(
		groupStep{"5s", "A", Shutdown{Limit: 5 * time.Second}, "A advert 0; A offer; B advert 0; B offer"},
		groupStep{"5.6s", "A", to(g, "A", low, 50), ""},
		groupStep{"5.61s", "A", PeerAnnounced{vip1}, "A release 10; A MASTER>INIT shutdown; A stopped"},
		groupStep{"6.5s", "", fire, "B release 11; B MASTER>INIT shutdown; B stopped; G MASTER>INIT shutdown"},
	))
}

// An owner in a group waits as backup for the rest.
func TestGroupOwnerWaits(t *testing.T) {
	g := pair(func(a, _ *Config) { a.Priority, a.StateMaster = 255, true })
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", Start{}, ""},
		{"0s", "B", Start{}, "B INIT>BACKUP start; A INIT>BACKUP start; G INIT>BACKUP start"},
		{"3.609375s", "", fire, "A advert 255; A acquire 10; B advert 100; B acquire 11"},
	})
}

// A restarted group is master again at once where every member may be.
func TestGroupResumes(t *testing.T) {
	again := Start{LastAdvert: epoch.Add(-time.Second)}
	playGroup(t, pair(nil), []groupStep{
		{"0s", "A", up, ""},
		{"0s", "B", up, ""},
		{"0s", "A", again, ""},
		{"0s", "B", again, "A advert 100; A acquire 10; B advert 100; B acquire 11"},
		{"0.1s", "B", Acquired{}, "B announce 11 x5; B INIT>MASTER resumed-after-restart"},
		{"0.1s", "A", Acquired{}, "A announce 10 x5; A INIT>MASTER resumed-after-restart; G INIT>MASTER resumed-after-restart"},
	})
}

// A master that is heard before all members have started makes a backup of the
// one that heard it.
func TestGroupResumeMeetsAMaster(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, []groupStep{
		{"0s", "A", up, ""},
		{"0s", "A", Start{LastAdvert: epoch.Add(-time.Second)}, ""},
		{"0.1s", "A", to(g, "A", low, 150), "A INIT>BACKUP start"},
		{"0.2s", "B", up, ""},
		{"0.2s", "B", Start{LastAdvert: epoch.Add(-time.Second)}, "B INIT>BACKUP start; G INIT>BACKUP start"},
	})
}

// A worse master heard by one member has the others announce, too.
func TestGroupAnnouncesTogether(t *testing.T) {
	g := pair(func(a, b *Config) { a.Announcements.LowerPrioRepeat, b.Announcements.LowerPrioRepeat = 2, 3 })
	playGroup(t, g, groupMaster(
		groupStep{"5s", "B", to(g, "B", low, 50), "B lower-priority-master; B advert 100; B announce 11 x3; A announce 10 x2"},
	))
}

// Members that were late step back together, and none makes an offer.
func TestGroupIsLateTogether(t *testing.T) {
	g := pair(func(a, b *Config) { a.TimerExpiredBackup, b.TimerExpiredBackup = 254, 254 })
	playGroup(t, g, groupMaster(
		groupStep{"9s", "B", to(g, "B", low, 50), "A release 10; A MASTER>BACKUP timer-expired; " +
			"B release 11; B MASTER>BACKUP timer-expired; B lower-priority-master; G MASTER>BACKUP timer-expired"},
	))
}

// At a reload, groups are built anew around running routers. A new member that
// hears no master does not pull down those that are master.
func TestGroupRebuiltAtReload(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster())
	c := plain()
	c.Name, c.VRID, c.Addresses = "C", 53, []netip.Addr{high}
	g = NewGroup("G", append(slices.Clone(g.Members()), NewRouter(c))...)
	if g.State() != Master {
		t.Errorf("state %v of a group of masters with a member that has not started, want MASTER", g.State())
	}
	playGroup(t, g, []groupStep{
		{"5s", "", fire, ""},
		{"5s", "C", up, ""},
		{"5s", "C", Start{}, "C INIT>BACKUP start"},
		{"5.7s", "", fire, "A advert 100; B advert 100"},
		{"8.609375s", "C", fire, "C advert 100; C acquire 9"},
		{"8.7s", "C", Acquired{}, "C announce 9 x5; C BACKUP>MASTER master-down"},
	})
	lone := NewGroup("", g.Members()[0])
	if lone.State() != Master || len(lone.Members()) != 1 || lone.Name() != "" {
		t.Errorf("lone: %v", lone.State())
	}
}

// A router that leaves its group leaves the group's FAULT as well.
func TestGroupFaultEndsWithTheGroup(t *testing.T) {
	g := pair(nil)
	playGroup(t, g, groupMaster(
		groupStep{"5s", "B", LinkState{}, "B advert 0; B release 11; B MASTER>FAULT link; " +
			"A advert 0; A release 10; A MASTER>FAULT sync-group; G MASTER>FAULT link"},
	))
	playGroup(t, NewGroup("", g.Members()[0]), []groupStep{
		{"6s", "", fire, "A FAULT>BACKUP recovered"},
	})
}
