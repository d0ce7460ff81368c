package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// recorded is a firewall whose messages go nowhere.
func recorded(t *testing.T, options FirewallOptions) (*Firewall, *[]netlink.Message) {
	t.Helper()
	var sent []netlink.Message
	f, err := newFirewall(options, nftables.WithTestDial(func(req []netlink.Message) ([]netlink.Message, error) {
		sent = append(sent, req...)
		var acks []netlink.Message
		for _, r := range req {
			if r.Header.Flags&netlink.Acknowledge != 0 {
				acks = append(acks, netlink.Message{Header: netlink.Header{Type: netlink.Error, Sequence: r.Header.Sequence, PID: r.Header.PID}, Data: make([]byte, 20)})
			}
		}
		return acks, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return f, &sent
}

// kinds are the messages of a transaction, by family.
func kinds(messages []netlink.Message) (out []string) {
	names := map[int]string{
		unix.NFT_MSG_NEWTABLE: "table", unix.NFT_MSG_DELTABLE: "no table", unix.NFT_MSG_NEWCHAIN: "chain",
		unix.NFT_MSG_NEWSET: "set", unix.NFT_MSG_NEWSETELEM: "elements", unix.NFT_MSG_NEWRULE: "rule",
	}
	for _, m := range messages {
		switch typ := int(m.Header.Type); {
		case typ == unix.NFNL_MSG_BATCH_BEGIN:
			out = append(out, "begin")
		case typ == unix.NFNL_MSG_BATCH_END:
			out = append(out, "end")
		default:
			out = append(out, fmt.Sprintf("%d %s", m.Data[0], names[typ&0xff]))
		}
	}
	return out
}

func denied(addr, link string) DeniedAddress {
	return DeniedAddress{netip.MustParseAddr(addr), link}
}

// All is one transaction: the tables go and come again, or only go.
func TestFirewallTransactions(t *testing.T) {
	f, sent := recorded(t, FirewallOptions{Table: "keepalived", Priority: -1})
	rules := FirewallRules{
		Deny:  []DeniedAddress{denied("192.0.2.10", "v0"), denied("192.0.2.10", "v1"), denied("192.0.2.11", "v0")},
		Quiet: []string{"vrrp.51", "vrrp.51"},
	}
	if err := f.Apply(rules); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"begin",
		"2 table", "2 no table", "2 table", "2 set", "2 elements", "2 set", "2 elements", "2 chain", "2 rule", "2 chain", "2 rule", "2 rule",
		"10 table", "10 no table", "10 table", "10 set", "10 elements", "10 chain", "10 rule", "10 rule", "10 rule", "10 rule",
		"end",
	}
	if got := kinds(*sent); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("messages %q,\nwant %q", got, want)
	}
	for _, text := range []string{"keepalived\x00", "vips\x00", "vrrp.51\x00"} {
		if !bytes.Contains(bytes.Join(datas(*sent), nil), []byte(text)) {
			t.Errorf("%q is not in the messages", text)
		}
	}
	*sent = nil
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	want = []string{"begin", "2 table", "2 no table", "10 table", "10 no table", "end"}
	if got := kinds(*sent); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("removal by %q, want %q", got, want)
	}
}

func datas(messages []netlink.Message) (out [][]byte) {
	for _, m := range messages {
		out = append(out, m.Data)
	}
	return out
}

func TestFirewallRulesets(t *testing.T) {
	rules := FirewallRules{Deny: []DeniedAddress{
		denied("2001:db8::10", "v0"), denied("fe80::99", "v0"), denied("fe80::99", "v1"), denied("fe80::99", "v1"), denied("192.0.2.10", ""),
	}}
	four, six := rulesetOf(rules, nftables.TableFamilyIPv4), rulesetOf(rules, nftables.TableFamilyIPv6)
	if len(four.in) != 1 || len(four.out) != 1 || len(four.sets) != 1 || len(four.sets[0].elements) != 1 {
		t.Errorf("IPv4: %+v", four)
	}
	// Two of neighbour discovery, the set, and fe80::99 on each of two links.
	if len(six.in) != 5 || len(six.out) != 5 || len(six.sets) != 1 || len(six.sets[0].elements) != 1 {
		t.Errorf("IPv6: %+v", six)
	}
	if !rulesetOf(FirewallRules{}, nftables.TableFamilyIPv6).empty() {
		t.Error("no rules make a table")
	}
	var many FirewallRules
	for i := range 1200 {
		many.Deny = append(many.Deny, DeniedAddress{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})})
	}
	f, sent := recorded(t, FirewallOptions{Table: "keepalived", Counters: true})
	if err := f.Apply(many); err != nil {
		t.Fatal(err)
	}
	pieces := 0
	for _, k := range kinds(*sent) {
		if k == "2 elements" {
			pieces++
		}
	}
	if pieces != 3 {
		t.Errorf("1200 addresses in %d messages", pieces)
	}
	if !bytes.Contains(bytes.Join(datas(*sent), nil), []byte("counter\x00")) {
		t.Error("no counters")
	}
}
