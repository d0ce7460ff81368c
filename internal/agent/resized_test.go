package agent

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

func TestAnMTUThatChangesIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &segment{}, "192.0.2.1")
		var vips []string
		for i := range 199 {
			vips = append(vips, fmt.Sprintf("198.51.100.%d/32", i+1))
		}
		small := conf("VI_2", 150)
		small.VRID = 52
		n.apply(conf("VI_1", 150, vips...), small)
		for _, mtu := range []int{1400, 842, 841, 576, 9000} {
			n.do(func(now time.Time) {
				link := n.elector.links["eth0"]
				link.MTU = mtu
				n.elector.hostEvent(now, host.LinkChanged{Link: link})
			})
		}
		var told []string
		for _, e := range n.journal.Events(0) {
			if e.Kind == "mtu" {
				told = append(told, e.Text)
			}
		}
		want := []string{
			"(VI_1) adverts with 200 addresses do not fit the MTU 841 of eth0: 199 would; a reload moves the others to the excluded ones",
			"(VI_1) adverts fit the MTU 9000 of eth0",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}
