package agent

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/vrrp"
)

const vip = "192.0.2.100/32"

// settled is longer than any master down interval of these tests.
const settled = 6 * time.Second

func conf(name string, priority int, vips ...string) *config.Instance {
	in := &config.Instance{
		Name: name, Interface: "eth0", VRID: 51, Version: 3, Priority: priority, AdvertInterval: time.Second,
		DownTimerAdverts: 3, Preempt: true, Group: netip.MustParseAddr("224.0.0.18"), TrackPrimary: true,
		GARP: config.GARP{Repeat: 1, RefreshRepeat: 1},
	}
	for _, v := range append([]string{vip}, vips...) {
		in.Addresses = append(in.Addresses, config.Address{Prefix: netip.MustParsePrefix(v), Interface: "eth0"})
	}
	return in
}

// pair starts a node of priority 150 and one of 100 and waits for the election.
func pair(t *testing.T) (better, worse *node) {
	t.Helper()
	s := &segment{}
	better, worse = newNode(t, s, "192.0.2.1"), newNode(t, s, "192.0.2.2")
	better.apply(conf("VI_1", 150))
	worse.apply(conf("VI_1", 100))
	time.Sleep(settled)
	expect(t, better, vrrp.Master)
	expect(t, worse, vrrp.Backup)
	return better, worse
}

// expect asserts a node's state, and that the VIP is where the state says.
func expect(t *testing.T, n *node, want vrrp.State) {
	t.Helper()
	synctest.Wait()
	if s := n.state(); s.State != want || s.Offering {
		t.Fatalf("%s is %s (%s)", n.addr, stateName(s), s.Cause.Detail)
	}
	if got := n.holds(vip); got != (want == vrrp.Master) {
		t.Fatalf("%s is %s and has the VIP: %v", n.addr, want, got)
	}
}

func order(t *testing.T, n *node, req control.MoveRequest) control.MoveOutcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := n.elector.move(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Outcomes) != 1 {
		t.Fatalf("outcomes %+v, want one", r.Outcomes)
	}
	return r.Outcomes[0]
}

func TestTheStandbyTakesOverFromALostMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		better.isolate(true)
		time.Sleep(settled)
		expect(t, worse, vrrp.Master)
		better.isolate(false)
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
		expect(t, worse, vrrp.Backup)
	})
}

func TestALinkThatFailsIsAFaultAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		better.link(false)
		expect(t, better, vrrp.Failed)
		time.Sleep(settled)
		expect(t, worse, vrrp.Master)
		better.link(true)
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
	})
}

func TestPriority0GoesFromTheAddressThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		better.linkWith(true)
		expect(t, better, vrrp.Failed)
		// Longer than the skew, and shorter than a master down interval.
		time.Sleep(time.Second)
		expect(t, worse, vrrp.Master)
	})
}

func TestASwitchoverMovesTheVIPAndHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		o := order(t, better, control.MoveRequest{Kind: vrrp.Switchover})
		if !o.Done || o.State != "BACKUP (held)" && o.State != "BACKUP" {
			t.Fatalf("outcome %+v", o)
		}
		expect(t, worse, vrrp.Master)
		time.Sleep(10 * settled)
		expect(t, better, vrrp.Backup)
		if !better.state().Hold || !better.elector.kept.Holds.Has(instanceID(conf("VI_1", 150))) {
			t.Fatal("the node does not hold")
		}
		if o := order(t, better, control.MoveRequest{Kind: vrrp.Resume}); !o.Done {
			t.Fatalf("resume: %+v", o)
		}
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
		expect(t, worse, vrrp.Backup)
		if better.elector.kept.Holds.Has(instanceID(conf("VI_1", 150))) {
			t.Fatal("the hold outlives its end")
		}
	})
}

func TestTheVIPIsServedThroughoutASwitchover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			order(t, better, control.MoveRequest{Kind: vrrp.Switchover})
		}()
		for {
			synctest.Wait()
			if !better.holds(vip) && !worse.holds(vip) {
				t.Fatal("nobody has the VIP")
			}
			select {
			case <-done:
				return
			default:
				time.Sleep(time.Millisecond)
			}
		}
	})
}

func TestAnOfferThatNobodyTakesIsRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		worse.isolate(true)
		o := order(t, better, control.MoveRequest{Kind: vrrp.Switchover})
		if o.Done || o.State != "MASTER" || !strings.Contains(o.Text, "still master") {
			t.Fatalf("outcome %+v", o)
		}
		expect(t, better, vrrp.Master)
	})
}

func TestFailoverTakesOverUntilResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		if o := order(t, worse, control.MoveRequest{Kind: vrrp.Failover}); !o.Done || !strings.HasPrefix(o.State, "MASTER") {
			t.Fatalf("outcome %+v", o)
		}
		time.Sleep(10 * settled)
		expect(t, worse, vrrp.Master)
		expect(t, better, vrrp.Backup)
		order(t, worse, control.MoveRequest{Kind: vrrp.Resume})
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
	})
}

func TestOrdersThatMakeNoSenseAreRefusedWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		for _, c := range []struct {
			n    *node
			req  control.MoveRequest
			want string
		}{
			{better, control.MoveRequest{Kind: vrrp.Switchover, Instances: []string{"VI_2"}}, "configured: VI_1"},
			{worse, control.MoveRequest{Kind: vrrp.Switchover}, "this node is master of no instance: order it on the active node (VI_1: 192.0.2.1), or a failover here"},
			{better, control.MoveRequest{Kind: vrrp.Failover}, "master of every instance already"},
			{better, control.MoveRequest{Kind: vrrp.Resume}, "nothing to resume"},
		} {
			if _, err := c.n.elector.move(t.Context(), c.req); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.req, err, c.want)
			}
		}
	})
}

func TestAStopOffersBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		better.elector.stop(offerLimit, nil)
		synctest.Wait()
		if better.holds(vip) || !worse.holds(vip) {
			t.Fatalf("after the stop the VIP is with the stopped node: %v, with its peer: %v", better.holds(vip), worse.holds(vip))
		}
		expect(t, worse, vrrp.Master)
	})
}

// keepalived's words while a group runs; of its end keepalived says nothing.
func TestWhatAGroupsStatesAreCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &segment{}, "192.0.2.1")
		n.do(func(now time.Time) {
			n.elector.apply(now, &config.Config{
				Instances:  []*config.Instance{conf("VI_1", 150)},
				SyncGroups: []*config.SyncGroup{{Name: "G", Members: []string{"VI_1"}}},
			})
		})
		time.Sleep(settled)
		n.elector.stop(offerLimit, nil)
		var told []string
		for _, e := range n.journal.Events(0) {
			if e.Kind == "group-state" {
				told = append(told, strings.TrimPrefix(e.Text, "VRRP_Group(G) "))
			}
		}
		want := []string{"Syncing instances to BACKUP state", "Syncing instances to MASTER state", "Stopped"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestASecondSignalEndsAnOfferAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		worse.isolate(true)
		now := make(chan struct{})
		close(now)
		begun := time.Now()
		better.elector.stop(offerLimit, now)
		if d := time.Since(begun); d > 0 {
			t.Fatalf("the stop took %s", d)
		}
		synctest.Wait()
		if better.holds(vip) {
			t.Fatal("the VIP is still there")
		}
	})
}

func TestAReloadCarriesOutOnlyWhatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, worse := pair(t)
		since := better.state().Since
		better.do(func(now time.Time) {
			if c := better.elector.apply(now, &config.Config{Instances: []*config.Instance{conf("VI_1", 150)}}); c != nil {
				t.Errorf("an equal configuration changed %q", c)
			}
		})
		batches := len(better.table.Batches())
		if c := better.apply(conf("RENAMED", 150, "192.0.2.101/32")); len(c) != 1 {
			t.Fatalf("changes %q", c)
		}
		expect(t, better, vrrp.Master)
		if !better.holds("192.0.2.101/32") || better.state().Since != since {
			t.Fatal("the new VIP is missing, or mastership was interrupted")
		}
		for _, b := range better.table.Batches()[batches:] {
			for _, c := range b {
				if c.Address.Prefix == netip.MustParsePrefix(vip) {
					t.Errorf("the reload touched the VIP that stays: %s", c)
				}
			}
		}
		expect(t, worse, vrrp.Backup)
		if c := better.apply(); len(c) != 1 || c[0] != "instance RENAMED removed" {
			t.Fatalf("changes %q", c)
		}
		time.Sleep(settled)
		expect(t, worse, vrrp.Master)
		if better.holds(vip) || better.holds("192.0.2.101/32") {
			t.Fatal("a removed instance left its addresses")
		}
	})
}

func TestAnAddressThatSomebodyRemovesIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, _ := pair(t)
		gone := host.Address{Prefix: netip.MustParsePrefix(vip), Interface: "eth0"}
		better.table.Lose(gone)
		better.do(func(now time.Time) {
			better.elector.hostEvent(now, host.AddressChanged{Interface: "eth0", Index: 2, Prefix: gone.Prefix})
		})
		expect(t, better, vrrp.Master)
		told := slices.ContainsFunc(better.journal.Events(0), func(e journal.Event) bool { return e.Kind == string(vrrp.NoticeAddressLost) })
		if !told {
			t.Fatal("the loss is not in the journal")
		}
	})
}

// The VMAC upon a link that is renamed goes at the same moment, which is told
// between the link's two names.
func TestAddressesGoFromALinkThatWasRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		better, _ := pair(t)
		better.do(func(now time.Time) {
			better.table.Rename("eth0", "eth9")
			better.elector.hostEvent(now, host.LinkGone{Name: "eth0", Index: 2, NewName: "eth9"})
			better.elector.hostEvent(now, host.LinkGone{Name: "vrrp.51", Index: 3})
			better.elector.hostEvent(now, host.LinkChanged{Link: host.Link{
				Name: "eth9", Index: 2, MTU: 1500, MAC: []byte{2, 0, 0, 0, 0, 1}, Up: true, Multicast: true,
				Addresses: []netip.Prefix{netip.PrefixFrom(better.addr, 24), netip.MustParsePrefix(vip)},
			}})
		})
		time.Sleep(settled)
		if better.holds(vip) {
			t.Fatalf("the address has stayed on the link that was renamed: %v", better.table.All())
		}
	})
}

func TestLeftOverAddressesGoAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segment{}
		n := newNode(t, s, "192.0.2.1")
		left := []host.Address{
			{Prefix: netip.MustParsePrefix(vip), Interface: "eth0"},
			{Prefix: netip.MustParsePrefix("192.0.2.200/32"), Interface: "eth0"},
		}
		for _, a := range left {
			if err := n.table.Apply([]host.AddressChange{{Op: host.AddAddress, Address: a}}); err != nil {
				t.Fatal(err)
			}
		}
		cfg := &config.Config{Instances: []*config.Instance{conf("VI_1", 100)}}
		n.do(func(time.Time) { n.elector.sweep(cfg, host.Contents{Addresses: left}) })
		n.apply(cfg.Instances...)
		synctest.Wait()
		if all := n.table.All(); len(all) != 0 {
			t.Fatalf("left over: %v", all)
		}
		expect(t, n, vrrp.Backup)
	})
}

// signed is an instance whose adverts are signed with the key.
func signed(priority int, key string) *config.Instance {
	in := conf("VI_1", priority)
	in.HMAC = &config.HMAC{
		Keys: []config.HMACKey{{ID: 1, Secret: []byte(strings.Repeat(key, 32))}}, Active: 1, Window: 5 * time.Second, Mode: "enforce",
	}
	return in
}

func TestSignedAdvertsElect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segment{}
		better, worse := newNode(t, s, "192.0.2.1"), newNode(t, s, "192.0.2.2")
		better.apply(signed(150, "a"))
		worse.apply(signed(100, "a"))
		time.Sleep(settled)
		expect(t, better, vrrp.Master)
		expect(t, worse, vrrp.Backup)

		// Another key on one side: nobody believes the other any more.
		if c := worse.apply(signed(100, "b")); len(c) != 1 {
			t.Fatalf("another key changed %q", c)
		}
		time.Sleep(settled)
		expect(t, worse, vrrp.Master)
		var report control.Status
		worse.do(func(time.Time) { worse.elector.report(&report) })
		if n := report.Instances[0].Counters.Dropped[vrrp.DropHMACInvalid]; n == 0 {
			t.Fatalf("dropped %v, want those of the other key counted", report.Instances[0].Counters.Dropped)
		}
	})
}
