package ipvs

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Compare orders keys: marks last, else by family, address, port and protocol.
func (k ServiceKey) Compare(o ServiceKey) int {
	return cmp.Or(
		cmp.Compare(k.FWMark, o.FWMark),
		compareBool(k.IPv6, o.IPv6),
		k.Addr.Compare(o.Addr),
		cmp.Compare(k.Port, o.Port),
		cmp.Compare(k.Protocol, o.Protocol),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Keys returns the table's keys in order.
func (t Table) Keys() []ServiceKey {
	return slices.SortedFunc(maps.Keys(t), ServiceKey.Compare)
}

// Normal returns a copy of the table in the form in which the kernel tells it,
// so that what is wanted and what is there compare equal: no IPv4 address in
// IPv6 form, no address with a mark, no flag of the kernel's own, whole seconds,
// an IPv6 prefix length of at least one, no destination twice (the first
// counts), and in each Entry the key it is filed under.
func (t Table) Normal() Table {
	out := make(Table, len(t))
	for k, e := range t {
		e.ServiceKey = k.normal()
		if _, twice := out[e.ServiceKey]; twice && e.ServiceKey != k {
			continue
		}
		e.Flags &^= serviceHashed
		e.Timeout = e.Timeout.Truncate(time.Second)
		if e.IPv6 && e.Netmask == 0 {
			e.Netmask = 128 // the kernel refuses 0 here
		}
		e.Destinations = normalDestinations(e.Destinations)
		out[e.ServiceKey] = e
	}
	return out
}

func (k ServiceKey) normal() ServiceKey {
	if k.FWMark != 0 {
		return ServiceKey{IPv6: k.IPv6, FWMark: k.FWMark}
	}
	k.Addr = normalAddr(k.Addr)
	k.IPv6 = k.Addr.Is6()
	return k
}

func normalAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func normalDestinations(in []Destination) []Destination {
	out := slices.Clone(in)
	for i := range out {
		out[i].Addr = normalAddr(out[i].Addr)
	}
	if !repeats(out) {
		return out
	}
	seen := make(map[DestinationKey]bool, len(out))
	return slices.DeleteFunc(out, func(d Destination) bool {
		twice := seen[d.DestinationKey]
		seen[d.DestinationKey] = true
		return twice
	})
}

// few is how many destinations compare faster than they hash.
const few = 32

// repeats says whether a destination may be there twice.
func repeats(ds []Destination) bool {
	if len(ds) > few {
		return true
	}
	for i := range ds {
		for j := range i {
			if ds[i].DestinationKey == ds[j].DestinationKey {
				return true
			}
		}
	}
	return false
}

// Diff returns the changes that make the services of have equal to want, both
// in normal form (see Table.Normal). A service that is in have and neither in
// want nor owned is foreign and left alone; a service of want is ours with all
// its destinations, whoever added them.
//
// Nothing that stays is deleted and added again, so connections survive. Within
// a service what adds capacity comes before what takes it away: no service is
// without a destination on the way from one that has some to one that has some.
// Services that go, go last. Equal tables give no changes.
func Diff(have, want Table, owned func(ServiceKey) bool) []Change {
	var differ, gone []ServiceKey
	atMost := 0
	for k, w := range want {
		if h, exists := have[k]; !exists || h.Service != w.Service || !sameDestinations(h.Destinations, w.Destinations) {
			differ = append(differ, k)
			if !exists {
				atMost += 1 + len(w.Destinations)
			}
		}
	}
	for k := range have {
		if _, wanted := want[k]; !wanted && owned(k) {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(differ, ServiceKey.Compare)
	slices.SortFunc(gone, ServiceKey.Compare)

	atMost += len(gone)
	if atMost == 0 && len(differ) == 0 {
		return nil
	}
	out := make([]Change, 0, atMost)
	for _, k := range differ {
		w := want[k]
		h, exists := have[k]
		switch {
		case !exists:
			out = append(out, Change{Op: AddService, Service: w.Service})
		case h.Service != w.Service:
			out = append(out, Change{Op: EditService, Service: w.Service, WasService: h.Service})
		}
		out = diffDestinations(out, w.Service, h.Destinations, w.Destinations)
	}
	for _, k := range gone {
		out = append(out, Change{Op: DeleteService, Service: have[k].Service})
	}
	return out
}

// sameDestinations compares, at a glance where both are in the same memory.
func sameDestinations(a, b []Destination) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

func diffDestinations(out []Change, s Service, have, want []Destination) []Change {
	if len(have) == 0 {
		for _, d := range want {
			out = append(out, Change{Op: AddDestination, Service: s, Destination: d})
		}
		return out
	}
	old := make(map[DestinationKey]Destination, len(have))
	for _, d := range have {
		old[d.DestinationKey] = d
	}
	kept := make(map[DestinationKey]bool, len(want))
	var edits []Change
	for _, d := range want {
		kept[d.DestinationKey] = true
		was, exists := old[d.DestinationKey]
		switch {
		case !exists:
			out = append(out, Change{Op: AddDestination, Service: s, Destination: d})
		case was != d:
			edits = append(edits, Change{Op: EditDestination, Service: s, Destination: d, WasDestination: was})
		}
	}
	// A weight that rises before one that falls: the last that serves is not
	// quiesced before its successor serves.
	slices.SortStableFunc(edits, func(a, b Change) int {
		return compareBool(falls(a), falls(b))
	})
	out = append(out, edits...)
	for _, d := range have {
		if !kept[d.DestinationKey] {
			out = append(out, Change{Op: DeleteDestination, Service: s, Destination: d})
		}
	}
	return out
}

func falls(c Change) bool { return c.Destination.Weight < c.WasDestination.Weight }
