package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// nextHops takes "nexthop via IP [dev IF] ... nexthop ..." up to the end of the
// line; the first nexthop has been taken.
func (r *routeLine) nextHops(first token) {
	for {
		h := NextHop{}
		for len(r.rest) > 0 && r.rest[0].Value != "nexthop" {
			if !r.hopWord(&h) {
				return
			}
		}
		r.NextHops = append(r.NextHops, h)
		if len(r.rest) == 0 {
			break
		}
		r.rest = r.rest[1:]
	}
	if len(r.NextHops) == 0 {
		r.fail("missing-value", first, "Write nexthop via IP.", "nexthop names nothing")
	}
}

// hopWord takes one option of a next hop.
func (r *routeLine) hopWord(h *NextHop) bool {
	w := r.rest[0]
	r.rest = r.rest[1:]
	switch w.Value {
	case "onlink":
		h.OnLink = true
		return true
	case "via", "dev", "oif", "weight", "realms", "encap", "as":
	default:
		r.d.warn("unknown-option", of(w), "Nothing may follow the next hops.", "%s is no word of a next hop; the rest of the line does not count", w.Value)
		r.NextHops, r.rest = append(r.NextHops, *h), nil
		return false
	}
	v, ok := r.value(w)
	if !ok {
		return false
	}
	switch w.Value {
	case "via":
		r.via(h, v)
	case "dev", "oif":
		h.Interface = v.Value
		r.bad = r.bad || !r.d.interfaceExists(v, "a next hop is by")
	case "weight":
		if n, ok := r.d.number(v, 1, 256); ok {
			h.Weight = int(n)
		}
	case "realms":
		h.Realms = r.realms(v)
	case "encap":
		r.encap(h, v)
	case "as":
		r.as(v)
	}
	return !r.bad
}

// secondHop takes the address behind or, which turns the route into one of two
// next hops.
func (r *routeLine) secondHop(w token) {
	v, ok := r.value(w)
	if !ok {
		return
	}
	second := NextHop{}
	r.via(&second, v)
	r.NextHops = append(r.NextHops, NextHop{Via: r.Hop.Via}, second)
	r.Hop.Via = netip.Addr{}
}

// encap takes a tunnel, whose kind is w.
func (r *routeLine) encap(h *NextHop, w token) {
	e := &Encap{Kind: w.Value}
	switch w.Value {
	case "ip", "ip6":
		r.encapIP(e)
	case "mpls":
		v, ok := r.value(w)
		if !ok {
			return
		}
		for label := range strings.SplitSeq(v.Value, "/") {
			n, err := strconv.ParseUint(label, 0, 20)
			if err != nil {
				r.fail("invalid-value", v, "Write LABEL/LABEL/...", "%s are no labels of MPLS", v.Value)
				return
			}
			e.Labels = append(e.Labels, uint32(n))
		}
	case "ila":
		v, ok := r.value(w)
		if !ok {
			return
		}
		if e.Locator, ok = ilaLocator(v.Value); !ok {
			r.fail("invalid-value", v, "Write it like 2001:db8:0:1.", "%s is no locator of ILA", v.Value)
			return
		}
	default:
		r.fail("invalid-value", w, "Write ip, ip6, mpls or ila.", "%s is no kind of tunnel", w.Value)
		return
	}
	h.Encap = e
}

// ilaLocator reads four groups of hex digits.
func ilaLocator(text string) (uint64, bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 {
		return 0, false
	}
	var out uint64
	for _, p := range parts {
		v, err := strconv.ParseUint(p, 16, 16)
		if err != nil {
			return 0, false
		}
		out = out<<16 | v
	}
	return out, true
}

// encapIP takes the options of an IP tunnel, as long as there are any.
func (r *routeLine) encapIP(e *Encap) {
	six := e.Kind == "ip6"
	for len(r.rest) > 0 && !r.bad {
		w := r.rest[0]
		switch w.Value {
		case "id", "dst", "src", "tos", "tc", "ttl", "hoplimit", "flags":
		default:
			return
		}
		r.rest = r.rest[1:]
		v, ok := r.value(w)
		if !ok {
			return
		}
		switch w.Value {
		case "id":
			n, err := strconv.ParseUint(v.Value, 0, 64)
			if err != nil {
				r.fail("invalid-number", v, "", "'%s' is no id of a tunnel", v.Value)
			}
			e.ID = n
		case "dst", "src":
			a, ok := parseAddr(v.Value)
			if !ok || a.Is6() != six {
				r.fail("invalid-address", v, "", "%s is no address for a tunnel of %s", v.Value, e.Kind)
				return
			}
			if w.Value == "dst" {
				e.Destination = a
			} else {
				e.Source = a
			}
		case "tos", "tc":
			e.TOS = uint8(r.named("rt_dsfield", v, 255, "TOS"))
		case "ttl", "hoplimit":
			e.TTL = uint8(r.uint32(v, 255))
		case "flags":
			e.Flags = uint16(r.uint32(v, 65535))
		}
	}
}
