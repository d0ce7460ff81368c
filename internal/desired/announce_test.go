package desired

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/host"
)

// A link that is made upon a member of a garp_group is spaced with it: its frames
// leave by the member.
func TestAnnounceGroups(t *testing.T) {
	cfg := &config.Config{GARPGroups: []*config.GARPGroup{
		{ARP: time.Second, Interfaces: []string{"eth0", "eth1"}},
		{NA: time.Minute, Interfaces: []string{"eth2"}},
	}}
	got := AnnounceGroups(cfg, map[string]string{"vrrp.7": "eth1", "vrrp.6": "eth0", "vrrp.8": "eth3"})
	want := []host.SharedSpacing{
		{ARP: time.Second, Links: []string{"eth0", "eth1", "vrrp.6", "vrrp.7"}},
		{NA: time.Minute, Links: []string{"eth2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}
