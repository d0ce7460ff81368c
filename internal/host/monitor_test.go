package host

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// linkMessage is an RTM_NEWLINK or RTM_DELLINK as the kernel writes it.
func linkMessage(typ uint16, index int, name string, flags uint32) nlmsg.Message {
	b := []byte{unix.AF_UNSPEC, 0}
	b = binary.NativeEndian.AppendUint16(b, unix.ARPHRD_ETHER)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = nlmsg.AppendAttr(b, unix.IFLA_IFNAME, append([]byte(name), 0))
	b = nlmsg.AppendAttr(b, unix.IFLA_ADDRESS, testMAC)
	b = nlmsg.AppendAttr(b, unix.IFLA_MTU, binary.NativeEndian.AppendUint32(nil, 1500))
	return nlmsg.Message{Type: typ, Data: b}
}

// addrMessage is an RTM_NEWADDR or RTM_DELADDR with IFA_F_* flags.
func addrMessage(typ uint16, index int, prefix string, flags uint32) nlmsg.Message {
	a := vip(prefix)
	a.Flags = flags
	m, _, _ := nlmsg.Next(appendAddress(nil, AddAddress, 0, 0, index, a))
	return nlmsg.Message{Type: typ, Data: m.Data}
}

const upFlags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_MULTICAST | unix.IFF_BROADCAST

func describe(e Event) string {
	switch e := e.(type) {
	case LinkChanged:
		s := fmt.Sprintf("link %d %s up=%v", e.Link.Index, e.Link.Name, e.Link.Up)
		if len(e.Link.Addresses) > 0 {
			s += fmt.Sprint(" ", e.Link.Addresses)
		}
		if len(e.Link.Secondary) > 0 {
			s += fmt.Sprint(" secondary ", e.Link.Secondary)
		}
		if e.Link.NoARP {
			s += " noarp"
		}
		return s
	case LinkGone:
		if e.NewName != "" {
			return fmt.Sprintf("gone %d %s, now %s", e.Index, e.Name, e.NewName)
		}
		return fmt.Sprintf("gone %d %s", e.Index, e.Name)
	case AddressChanged:
		return fmt.Sprintf("address %s on %d %s %v", e.Prefix, e.Index, e.Interface, e.Present)
	default:
		return fmt.Sprintf("%T", e)
	}
}

func TestLinkTable(t *testing.T) {
	newLink := func(index int, name string, flags uint32) nlmsg.Message {
		return linkMessage(unix.RTM_NEWLINK, index, name, flags)
	}
	delLink := func(index int, name string) nlmsg.Message { return linkMessage(unix.RTM_DELLINK, index, name, 0) }
	newAddr := func(index int, prefix string, flags ...uint32) nlmsg.Message {
		return addrMessage(unix.RTM_NEWADDR, index, prefix, sum(flags))
	}
	delAddr := func(index int, prefix string) nlmsg.Message { return addrMessage(unix.RTM_DELADDR, index, prefix, 0) }
	const one, two = "192.0.2.1/24", "192.0.2.2/24"
	type step struct {
		messages []nlmsg.Message
		relist   bool
		events   []string
	}
	up := step{messages: []nlmsg.Message{newLink(2, "v0", upFlags), newAddr(2, one)},
		events: []string{"link 2 v0 up=true [192.0.2.1/24]", "address 192.0.2.1/24 on 2 v0 true"}}
	tests := []struct {
		name  string
		steps []step
	}{
		{"no change, no event", []step{up, {messages: []nlmsg.Message{newLink(2, "v0", upFlags), newAddr(2, one)}}}},
		{"down, not running, up", []step{up,
			{messages: []nlmsg.Message{newLink(2, "v0", unix.IFF_UP)}, events: []string{"link 2 v0 up=false [192.0.2.1/24]"}},
			{messages: []nlmsg.Message{newLink(2, "v0", unix.IFF_RUNNING)}},
			{messages: []nlmsg.Message{newLink(2, "v0", upFlags)}, events: []string{"link 2 v0 up=true [192.0.2.1/24]"}},
		}},
		{"gathered messages are told as their sum", []step{up,
			{messages: []nlmsg.Message{newLink(2, "v0", 0), newAddr(2, two), delAddr(2, two), newLink(2, "v0", upFlags|unix.IFF_NOARP)},
				events: []string{"link 2 v0 up=true [192.0.2.1/24] noarp"}},
		}},
		{"address comes and goes", []step{up,
			{messages: []nlmsg.Message{newAddr(2, two, unix.IFA_F_SECONDARY)}, events: []string{
				"link 2 v0 up=true [192.0.2.1/24 192.0.2.2/24] secondary [192.0.2.2/24]", "address 192.0.2.2/24 on 2 v0 true"}},
			{messages: []nlmsg.Message{delAddr(2, one)}, events: []string{
				"link 2 v0 up=true [192.0.2.2/24] secondary [192.0.2.2/24]", "address 192.0.2.1/24 on 2 v0 false"}},
			{messages: []nlmsg.Message{newAddr(2, two)}, events: []string{"link 2 v0 up=true [192.0.2.2/24]"}}, // promoted
		}},
		{"tentative, then usable, then failed", []step{up,
			{messages: []nlmsg.Message{newAddr(2, "fe80::1/64", unix.IFA_F_TENTATIVE)}},
			{messages: []nlmsg.Message{newAddr(2, "fe80::1/64")}, events: []string{
				"link 2 v0 up=true [192.0.2.1/24 fe80::1/64]", "address fe80::1/64 on 2 v0 true"}},
			{messages: []nlmsg.Message{newAddr(2, "fe80::1/64", unix.IFA_F_DADFAILED|unix.IFA_F_TENTATIVE)}, events: []string{
				"link 2 v0 up=true [192.0.2.1/24]", "address fe80::1/64 on 2 v0 false"}},
		}},
		{"address before its link", []step{
			{messages: []nlmsg.Message{newAddr(2, one)}},
			{messages: []nlmsg.Message{newLink(2, "v0", upFlags)}, events: up.events},
		}},
		{"renamed", []step{up, {messages: []nlmsg.Message{newLink(2, "w0", upFlags)}, events: []string{
			"address 192.0.2.1/24 on 2 v0 false", "gone 2 v0, now w0",
			"link 2 w0 up=true [192.0.2.1/24]", "address 192.0.2.1/24 on 2 w0 true"}}}},
		{"names swapped", []step{up,
			{messages: []nlmsg.Message{newLink(3, "w0", upFlags)}, events: []string{"link 3 w0 up=true"}},
			{messages: []nlmsg.Message{newLink(2, "tmp", upFlags), newLink(3, "v0", upFlags), newLink(2, "w0", upFlags)}, events: []string{
				"address 192.0.2.1/24 on 2 v0 false", "gone 2 v0, now w0", "gone 3 w0, now v0",
				"link 2 w0 up=true [192.0.2.1/24]", "address 192.0.2.1/24 on 2 w0 true", "link 3 v0 up=true"}}}},
		{"deleted and made anew", []step{up,
			{messages: []nlmsg.Message{delAddr(2, one), delLink(2, "v0"), newLink(7, "v0", upFlags), newAddr(7, one)}, events: []string{
				"address 192.0.2.1/24 on 2 v0 false", "gone 2 v0",
				"link 7 v0 up=true [192.0.2.1/24]", "address 192.0.2.1/24 on 7 v0 true"}}}},
		{"listing again finds what was missed", []step{up,
			{messages: []nlmsg.Message{newLink(3, "v1", upFlags)}, events: []string{"link 3 v1 up=true"}},
			{relist: true, messages: []nlmsg.Message{newLink(2, "v0", upFlags), newAddr(2, two)}, events: []string{
				"address 192.0.2.2/24 on 2 v0 true", "gone 3 v1", "link 2 v0 up=true [192.0.2.2/24]", "address 192.0.2.1/24 on 2 v0 false"}}}},
		{"listing again keeps the order of addresses", []step{up,
			{messages: []nlmsg.Message{newAddr(2, two)}, events: []string{
				"link 2 v0 up=true [192.0.2.1/24 192.0.2.2/24]", "address 192.0.2.2/24 on 2 v0 true"}},
			{relist: true, messages: []nlmsg.Message{newLink(2, "v0", upFlags), newAddr(2, two), newAddr(2, one)}},
		}},
		{"a bridge port's message is not its link's", []step{up, {messages: []nlmsg.Message{func() nlmsg.Message {
			m := delLink(2, "v0")
			m.Data[0] = unix.AF_BRIDGE
			return m
		}()}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := newLinkTable()
			for i, s := range tt.steps {
				if s.relist {
					table.begin()
				}
				for _, m := range s.messages {
					if err := table.update(m); err != nil {
						t.Fatal(err)
					}
				}
				if s.relist {
					table.sweep()
				}
				var got []string
				table.flush(func(e Event) { got = append(got, describe(e)) })
				if s.relist && len(s.events) > 0 {
					// Only the set counts after a listing.
					if diff := cmp.Diff(sorted(s.events), sorted(got)); diff != "" {
						t.Errorf("step %d (-want +got):\n%s", i, diff)
					}
					continue
				}
				if diff := cmp.Diff(s.events, got); diff != "" {
					t.Errorf("step %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestLinkTableRefusesNonsense(t *testing.T) {
	table := newLinkTable()
	for _, typ := range []uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR} {
		if err := table.update(nlmsg.Message{Type: typ, Data: []byte{2, 0, 0}}); err == nil {
			t.Errorf("a cut off message of type %d was accepted", typ)
		}
	}
	table.flush(func(e Event) { t.Errorf("event %s", describe(e)) })
}

// A snapshot that was told must not change under its reader's hands.
func TestLinkTableTellsCopies(t *testing.T) {
	table := newLinkTable()
	tell := func(m nlmsg.Message) (l Link) {
		if err := table.update(m); err != nil {
			t.Fatal(err)
		}
		table.flush(func(e Event) {
			if e, ok := e.(LinkChanged); ok {
				l = e.Link
			}
		})
		return l
	}
	tell(linkMessage(unix.RTM_NEWLINK, 2, "v0", upFlags))
	tell(addrMessage(unix.RTM_NEWADDR, 2, "192.0.2.1/24", 0))
	l := tell(addrMessage(unix.RTM_NEWADDR, 2, "192.0.2.2/24", 0))
	tell(addrMessage(unix.RTM_DELADDR, 2, "192.0.2.1/24", 0))
	tell(addrMessage(unix.RTM_NEWADDR, 2, "192.0.2.3/24", 0))
	if len(l.Addresses) != 2 || l.Addresses[0].String() != "192.0.2.1/24" || l.Addresses[1].String() != "192.0.2.2/24" {
		t.Errorf("the earlier snapshot became %v", l.Addresses)
	}
}

func TestSourceAddress(t *testing.T) {
	prefixes := func(s ...string) (out []netip.Prefix) {
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	l := Link{
		Addresses: prefixes("192.0.2.5/24", "192.0.2.1/24", "198.51.100.1/24", "2001:db8::1/64", "fe80::99/128", "fe80::1/64"),
		Secondary: prefixes("192.0.2.5/24"),
	}
	vips := func(vips ...string) func(netip.Addr) bool {
		return func(a netip.Addr) bool {
			for _, v := range vips {
				if a == netip.MustParseAddr(v) {
					return true
				}
			}
			return false
		}
	}
	tests := []struct {
		name string
		link Link
		ipv6 bool
		ours func(netip.Addr) bool
		want string
	}{
		{"first IPv4 that is not secondary", l, false, nil, "192.0.2.1"},
		{"virtual addresses are passed over", l, false, vips("192.0.2.1"), "198.51.100.1"},
		{"first link-local", l, true, nil, "fe80::99"},
		{"link-local that is not virtual", l, true, vips("fe80::99"), "fe80::1"},
		{"only virtual ones", l, true, vips("fe80::99", "fe80::1"), "invalid IP"},
		{"only secondary", Link{Addresses: l.Secondary, Secondary: l.Secondary}, false, nil, "invalid IP"},
		{"no address", Link{}, false, nil, "invalid IP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SourceAddress(tt.link, tt.ipv6, tt.ours); got.String() != tt.want {
				t.Errorf("source %s, want %s", got, tt.want)
			}
		})
	}
}

func BenchmarkLinkTable(b *testing.B) {
	messages := []nlmsg.Message{linkMessage(unix.RTM_NEWLINK, 2, "v0", upFlags)}
	for i := range 2000 {
		messages = append(messages, addrMessage(unix.RTM_NEWADDR, 2, fmt.Sprintf("10.0.%d.%d/32", i/250, i%250+1), 0))
	}
	for b.Loop() {
		table := newLinkTable()
		for i, m := range messages {
			if err := table.update(m); err != nil {
				b.Fatal(err)
			}
			if i%50 == 0 {
				table.flush(func(Event) {})
			}
		}
	}
}

// Of routes and rules, ours are told of and no others, after the links that they
// name.
func TestLinkTableRoutesAndRules(t *testing.T) {
	table := newLinkTable()
	table.told[3] = Link{Name: "v0", Index: 3}
	foreign := on("10.2.0.0/24", "v0")
	foreign.Protocol = 3
	foreignRule := rule(1001, "10.2.0.0/24")
	foreignRule.Protocol = 3
	index := map[string]int{"v0": 3}
	for _, b := range [][]byte{
		appendRoute(nil, Add, 0, 1, on("10.1.0.0/24", "v0"), index), appendRoute(nil, Add, 0, 1, foreign, index),
		appendRoute(nil, Remove, 0, 1, on("10.1.0.0/24", "v0"), index),
		appendRule(nil, Add, 0, 1, rule(1000, "10.1.0.0/24")), appendRule(nil, Add, 0, 1, foreignRule),
		appendRule(nil, Remove, 0, 1, rule(1000, "10.1.0.0/24")),
	} {
		m, _, _ := nlmsg.Next(b)
		if err := table.update(m); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	tell := func(e Event) {
		switch e := e.(type) {
		case RouteChanged:
			got = append(got, fmt.Sprintf("%s %v", e.Route, e.Present))
		case RuleChanged:
			got = append(got, fmt.Sprintf("%s %v", e.Rule, e.Present))
		}
	}
	table.flush(tell)
	table.flush(tell)
	want := []string{"10.1.0.0/24 on v0 true", "10.1.0.0/24 on v0 false", "1000: from 10.1.0.0/24 table 99 true", "1000: from 10.1.0.0/24 table 99 false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The routes of others do not reach the monitor at all.
func TestMonitorFilter(t *testing.T) {
	vm, err := bpf.NewVM(monitorFilter())
	if err != nil {
		t.Fatal(err)
	}
	foreign := to("10.2.0.0/24")
	foreign.Protocol = 186 // BGP
	for _, tt := range []struct {
		message []byte
		passes  bool
	}{
		{appendRoute(nil, Add, 0, 1, to("10.1.0.0/24"), nil), true},
		{appendRoute(nil, Remove, 0, 1, to("10.1.0.0/24"), nil), true},
		{appendRoute(nil, Add, 0, 1, foreign, nil), false},
		{appendRoute(nil, Remove, 0, 1, foreign, nil), false},
		{appendRule(nil, Add, 0, 1, rule(1, "")), true},
		{appendLinkUp(nil, 1, 3), true},
		{appendAddress(nil, Add, 0, 1, 3, vip("192.0.2.10/32")), true},
	} {
		if n, err := vm.Run(tt.message); err != nil || (n > 0) != tt.passes {
			t.Errorf("%x: %d, %v; passes should be %v", tt.message, n, err, tt.passes)
		}
	}
}
