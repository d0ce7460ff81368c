package agent

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// A master announces an address on each of its other links once an interval, one
// on a VMAC alone unless all are asked for; a reload changes that, and the end of
// mastership ends it.
func TestExtraAnnouncementsWhileMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &segment{}, "192.0.2.1")
		n.do(func(now time.Time) {
			for i, name := range []string{"eth1", "vrrp.51"} {
				n.elector.hostEvent(now, host.LinkChanged{Link: host.Link{Name: name, Index: 3 + i, MAC: []byte{2, 0, 0, 0, 1, byte(i)}, Up: true, Multicast: true}})
			}
			n.elector.made = map[string]string{"vrrp.51": "eth1"}
		})
		with := func(extra config.ExtraGARP) *config.Instance {
			c := conf("VI_1", 150)
			for addr, link := range map[string]string{"198.51.100.1/32": "eth1", "203.0.113.1/32": "vrrp.51"} {
				c.Excluded = append(c.Excluded, config.Address{Prefix: netip.MustParsePrefix(addr), Interface: link})
			}
			c.ExtraGARP = extra
			return c
		}
		told := func(in time.Duration) (count map[string]int) {
			n.mu.Lock()
			n.announced = nil
			n.mu.Unlock()
			time.Sleep(in)
			synctest.Wait()
			n.mu.Lock()
			defer n.mu.Unlock()
			count = map[string]int{}
			for _, a := range n.announced {
				count[a.String()]++
			}
			return count
		}
		n.apply(with(config.ExtraGARP{Interval: 20 * time.Second}))
		time.Sleep(settled)
		expect(t, n, vrrp.Master)
		if got := told(time.Minute); len(got) != 1 || got["203.0.113.1"] != 3 {
			t.Errorf("announced %v in a minute", got)
		}
		n.apply(with(config.ExtraGARP{Interval: 10 * time.Second, All: true}))
		if got := told(time.Minute + time.Second); len(got) != 2 || got["203.0.113.1"] != 6 || got["198.51.100.1"] != 6 {
			t.Errorf("on all links: announced %v in a minute", got)
		}
		n.link(false)
		synctest.Wait()
		if got := told(time.Minute); len(got) != 0 {
			t.Errorf("in FAULT: announced %v", got)
		}
	})
}
