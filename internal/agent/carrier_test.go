package agent

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// A link that a reload makes for a master is told of before it is up, and maybe
// before the reload is: that is no fault. Once it has been up, its end is one.
func TestALinkThatAReloadMakesIsComing(t *testing.T) {
	for name, early := range map[string]bool{"told of after the reload": false, "told of before the reload": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, &segment{}, "192.0.2.1")
				tell := func(link string, index int, up bool) {
					n.do(func(now time.Time) {
						n.elector.hostEvent(now, host.LinkChanged{Link: host.Link{Name: link, Index: index, MAC: []byte{2, 0, 0, 0, 1, byte(index)}, Up: up, Multicast: true}})
					})
				}
				tell("eth1", 3, true)
				n.apply(conf("VI_1", 150))
				time.Sleep(settled)
				expect(t, n, vrrp.Master)

				if early {
					tell("vrrp.51", 4, false)
				}
				n.do(func(now time.Time) { n.elector.made = map[string]string{"vrrp.51": "eth1"} })
				with := conf("VI_1", 150)
				with.Excluded = []config.Address{{Prefix: netip.MustParsePrefix("203.0.113.1/32"), Interface: "vrrp.51"}}
				with.TrackInterfaces = []config.Track{{Name: "vrrp.51"}}
				n.apply(with)
				if !early {
					tell("vrrp.51", 4, false)
				}
				expect(t, n, vrrp.Master)
				tell("vrrp.51", 4, true)
				expect(t, n, vrrp.Master)
				for _, e := range n.journal.Events(0) {
					if strings.Contains(e.Text, "FAULT") {
						t.Error(e.Text)
					}
				}

				tell("vrrp.51", 4, false)
				n.do(func(now time.Time) {
					n.elector.carriersMade(now, carriersReport{there: map[string]int{"vrrp.51": 4}})
				})
				expect(t, n, vrrp.Failed)
			})
		})
	}
}
