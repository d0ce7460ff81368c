package peers

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// parse reads a file of addresses, one a line; # begins a comment. The error names
// the first line that is none, and then there are no addresses: half a list is worse
// than the last whole one.
func parse(content string) ([]netip.Addr, error) {
	var out []netip.Addr
	n := 0
	for line := range strings.Lines(content) {
		n++
		text, _, _ := strings.Cut(line, "#")
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is no IP address", n, text)
		}
		out = append(out, a.Unmap().WithZone(""))
	}
	return out, nil
}

// canonical is a list in order, without doubles, of one family.
func canonical(in []netip.Addr, ipv6 bool) []netip.Addr {
	out := slices.DeleteFunc(slices.Clone(in), func(a netip.Addr) bool { return a.Is6() != ipv6 })
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
