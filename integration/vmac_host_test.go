//go:build kernel

package integration

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// macvlans are the names of a host's macvlans.
func macvlans(t testing.TB, h *lab.Host) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(details(t, h)))
}

// details is what ip -d shows of a host's macvlans, but for numbers that differ
// from host to host.
func details(t testing.TB, h *lab.Host) map[string]string {
	t.Helper()
	out, err := h.Run("ip", "-j", "-d", "link", "show", "type", "macvlan")
	must(t, err)
	var links []map[string]any
	if strings.TrimSpace(out) != "" {
		must(t, json.Unmarshal([]byte(out), &links))
	}
	found := map[string]string{}
	for _, l := range links {
		delete(l, "ifindex")
		b, err := json.Marshal(l)
		must(t, err)
		name, _ := l["ifname"].(string)
		found[name] = string(b)
	}
	return found
}
