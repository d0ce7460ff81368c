//go:build kernel

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestPairLocalIGMP has disable_local_igmp under tandem and keepalived: both join the
// same groups, the kernel reports none of the link, and reports them again at the end.
func TestPairLocalIGMP(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	nodes := []*lab.Agent{p.lb1, p.lb2}
	reports := func(n *lab.Agent) string {
		out, err := n.Host.Run("cat", "/proc/sys/net/ipv4/igmp_link_local_mcast_reports")
		must(t, err)
		return strings.TrimSpace(out)
	}
	groups := func(n *lab.Agent) []string {
		out, err := n.Host.Run("cat", "/proc/net/igmp")
		must(t, err)
		var all []string
		for line := range strings.Lines(out) {
			// A group, and how many have joined it: "120000E0     1 0:00000000 1".
			if w := strings.Fields(line); len(w) == 4 && strings.HasPrefix(line, "\t") {
				all = append(all, w[0]+" "+w[1])
			}
		}
		return all
	}
	before := groups(p.lb1)
	for _, n := range nodes {
		if got := reports(n); got != "1" {
			t.Fatalf("%s: reports before the start: %s", n.Host.Name, got)
		}
		priority := map[bool]int{true: 150, false: 100}[n == p.lb1]
		must(t, n.Write(global("disable_local_igmp")(quick.conf(n.Host, p.other(n).Host, priority))))
	}
	p.lead()
	ours, theirs := groups(p.lb1), groups(p.lb2)
	if fmt.Sprint(ours) != fmt.Sprint(theirs) || len(ours) != len(before)+1 {
		t.Errorf("tandem has joined %q, and keepalived %q", ours, theirs)
	}
	for _, n := range nodes {
		if got := reports(n); got != "0" {
			t.Errorf("%s: reports: %s", n.Host.Name, got)
		}
	}
	for _, n := range nodes {
		must(t, n.Stop(slack))
		if got := groups(n); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%s, at the end, is in %q, before in %q", n.Host.Name, got, before)
		}
		if got := reports(n); got != "1" {
			t.Errorf("%s: reports at the end: %s", n.Host.Name, got)
		}
	}
}
