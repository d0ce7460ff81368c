//go:build kernel

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func (n *testNS) addresses() *Addresses {
	n.t.Helper()
	var a *Addresses
	n.do(func() (err error) {
		a, err = NewAddresses()
		return err
	})
	n.t.Cleanup(func() { _ = a.Close() })
	return a
}

func TestKernelAddressTable(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "addr", "add", "192.0.2.1/24", "dev", "v0")
	testAddressTable(t, n.addresses(), func(prefix string) {
		n.run("ip", "addr", "del", prefix, "dev", "v0")
	})
}

// What the two programs leave on the interface is the same, whatever the line.
func TestKernelAddressesLikeKeepalived(t *testing.T) {
	lines := []struct {
		config  string
		address Address
	}{
		{"192.0.2.10", Address{Prefix: netip.MustParsePrefix("192.0.2.10/32")}},
		{"192.0.2.11/24", Address{Prefix: netip.MustParsePrefix("192.0.2.11/24")}},
		{"192.0.2.12/24 brd 192.0.2.255 label v0:1", Address{Prefix: netip.MustParsePrefix("192.0.2.12/24"),
			Broadcast: netip.MustParseAddr("192.0.2.255"), Label: "v0:1"}},
		{"192.0.2.13/32 scope link", Address{Prefix: netip.MustParsePrefix("192.0.2.13/32"), Scope: unix.RT_SCOPE_LINK}},
		{"192.0.2.14 scope host", Address{Prefix: netip.MustParsePrefix("192.0.2.14/32"), Scope: unix.RT_SCOPE_HOST}},
		{"192.0.2.15/32 peer 10.9.9.9", Address{Prefix: netip.MustParsePrefix("192.0.2.15/32"),
			Peer: netip.MustParsePrefix("10.9.9.9/32")}},
		{"10.1.0.1/16 noprefixroute", Address{Prefix: netip.MustParsePrefix("10.1.0.1/16"), Flags: unix.IFA_F_NOPREFIXROUTE}},
		{"2001:db8::10", Address{Prefix: netip.MustParsePrefix("2001:db8::10/128"), Flags: unix.IFA_F_NODAD, Deprecated: true}},
		{"2001:db8::11/64", Address{Prefix: netip.MustParsePrefix("2001:db8::11/64"), Flags: unix.IFA_F_NODAD}},
		{"2001:db8::12/64 -nodad", Address{Prefix: netip.MustParsePrefix("2001:db8::12/64")}},
		{"2001:db8::13/64 home", Address{Prefix: netip.MustParsePrefix("2001:db8::13/64"),
			Flags: unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS}},
		{"2001:db8::14/64 noprefixroute mngtmpaddr", Address{Prefix: netip.MustParsePrefix("2001:db8::14/64"),
			Flags: unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MANAGETEMPADDR}},
		{"fe80::99", Address{Prefix: netip.MustParsePrefix("fe80::99/128"), Flags: unix.IFA_F_NODAD, Deprecated: true}},
		{"2001:db8::16 peer 2001:db8:1::1", Address{Prefix: netip.MustParsePrefix("2001:db8::16/128"),
			Peer: netip.MustParsePrefix("2001:db8:1::1/128"), Flags: unix.IFA_F_NODAD, Deprecated: true}},
	}
	config := "vrrp_instance VI {\n interface v0\n state MASTER\n priority 255\n virtual_router_id 51\n virtual_ipaddress {\n"
	var batch []AddressChange
	for i, l := range lines {
		if i == 7 {
			config += " }\n virtual_ipaddress_excluded {\n"
		}
		config += "  " + l.config + "\n"
		l.address.Interface = "v0"
		batch = append(batch, AddressChange{AddAddress, l.address})
	}
	config += " }\n}\n"

	theirs, _ := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	before := theirs.visible("v0")
	stop := theirs.keepalived(config)
	waitFor(t, "keepalived's addresses", func() bool { return len(theirs.visible("v0")) == len(before)+len(lines) })
	// Duplicate address detection of the one address with -nodad ends.
	waitFor(t, "duplicate address detection", func() bool { return !strings.Contains(theirs.run("ip", "addr"), "tentative") })
	want := theirs.visible("v0")
	stop()

	ours, _ := pair(t, "v0", "w0", [2]string{"192.0.2.1/24", "192.0.2.2/24"})
	a := ours.addresses()
	if err := a.Apply(batch); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "duplicate address detection", func() bool { return !strings.Contains(ours.run("ip", "addr"), "tentative") })
	if diff := cmp.Diff(want, ours.visible("v0")); diff != "" {
		t.Errorf("addresses on the interface (-keepalived +tandem):\n%s", diff)
	}

	// Every one is found again as asked for, and taken off.
	var wanted []Address
	for _, c := range batch {
		wanted = append(wanted, c.Address)
	}
	have, err := a.Owned()
	if err != nil {
		t.Fatal(err)
	}
	if d := DiffAddresses(have, wanted); len(d) != 0 {
		t.Errorf("what was put there differs from what is found: %v", d)
	}
	if err := a.Apply(DiffAddresses(have, nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, ours.visible("v0")); diff != "" {
		t.Errorf("after removal (-before +after):\n%s", diff)
	}
}

// visible is what "ip -j -d addr" shows of a link's addresses.
func (n *testNS) visible(link string) []map[string]any {
	n.t.Helper()
	var links []struct {
		Addresses []map[string]any `json:"addr_info"`
	}
	out := n.run("ip", "-j", "-d", "addr", "show", "dev", link)
	if err := json.Unmarshal([]byte(out), &links); err != nil {
		n.t.Fatalf("ip -j addr: %v: %s", err, out)
	}
	// A newer ip shows the protocol number, which keepalived 2.2 does not set.
	for _, l := range links {
		for _, a := range l.Addresses {
			delete(a, "protocol")
		}
	}
	return links[0].Addresses
}

// keepalived runs the real one with a configuration until stop is called.
func (n *testNS) keepalived(config string) (stop func()) {
	n.t.Helper()
	dir := n.t.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		n.t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command("keepalived", "-n", "-l", "-D", "-P", "-f", file,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"),
		// It will not run beside another whose pid files these are, either.
		"-c", filepath.Join(dir, "checkers.pid"), "-b", filepath.Join(dir, "bfd.pid"))
	cmd.Stdout, cmd.Stderr = log, log
	n.do(cmd.Start)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
		_ = log.Close()
		if n.t.Failed() {
			b, _ := os.ReadFile(log.Name())
			n.t.Logf("keepalived said:\n%s", b)
		}
	}
	n.t.Cleanup(stop)
	return stop
}

func TestKernelAddressErrorsNameTheAddress(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	a := n.addresses()
	n.run("sysctl", "-qw", "net.ipv6.conf.v0.disable_ipv6=1")
	good := Address{Prefix: netip.MustParsePrefix("192.0.2.10/32"), Interface: "v0"}
	err := a.Apply([]AddressChange{
		{AddAddress, Address{Prefix: netip.MustParsePrefix("2001:db8::1/128"), Interface: "v0"}},
		{AddAddress, Address{Prefix: netip.MustParsePrefix("192.0.2.11/32"), Interface: "nosuch"}},
		{AddAddress, Address{Interface: "v0"}},
		{AddAddress, good},
		{RemoveAddress, Address{Prefix: netip.MustParsePrefix("192.0.2.12/32"), Interface: "nosuch"}},
	})
	for _, want := range []string{"add 2001:db8::1/128 on v0: ", "IPv6 is disabled", "add 192.0.2.11/32 on nosuch: no such interface"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if !errors.Is(err, unix.EACCES) || !errors.Is(err, unix.ENODEV) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("error %v does not wrap the kernel's reasons", err)
	}
	var one *AddressError
	if !errors.As(err, &one) || one.Change.Address.Prefix.String() == "192.0.2.12/32" {
		t.Errorf("%v is no AddressError of an addition", err)
	}
	if have, err := a.Present([]Address{good}); err != nil || len(have) != 1 {
		t.Errorf("the addition beside the failures: %v, %v", have, err)
	}
}

// An interface that is deleted between two batches and made anew has another
// index; the name counts.
func TestKernelAddressesFollowTheName(t *testing.T) {
	n, m := pair(t, "v0", "w0")
	a := n.addresses()
	add := []AddressChange{{AddAddress, Address{Prefix: netip.MustParsePrefix("192.0.2.10/32"), Interface: "v0"}}}
	if err := a.Apply(add); err != nil {
		t.Fatal(err)
	}
	n.run("ip", "link", "del", "v0")
	if err := a.Apply([]AddressChange{{RemoveAddress, add[0].Address}}); err != nil {
		t.Errorf("removal from a deleted interface: %v", err)
	}
	if err := a.Apply(add); !errors.Is(err, unix.ENODEV) {
		t.Errorf("addition to a deleted interface: %v", err)
	}
	cable(t, n, m, "v0", "w0")
	if err := a.Apply(add); err != nil {
		t.Fatal(err)
	}
	if have, err := a.Owned(); err != nil || len(have) != 1 || have[0].Prefix != add[0].Address.Prefix {
		t.Errorf("owned %v, %v", have, err)
	}
}

func TestKernelAddressesManyInOneBatch(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	a := n.addresses()
	want := manyAddresses(2000)
	if err := a.Apply(DiffAddresses(nil, want)); err != nil {
		t.Fatal(err)
	}
	have, err := a.Owned()
	if err != nil {
		t.Fatal(err)
	}
	if d := DiffAddresses(have, want); len(d) != 0 {
		t.Errorf("%d changes are left, the first %v", len(d), d[0])
	}
	// Applying it again changes nothing and is no error; so is removing twice.
	if err := a.Apply(DiffAddresses(nil, want)); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := a.Apply(DiffAddresses(want, nil)); err != nil {
			t.Error(err)
		}
	}
	if have, err := a.Owned(); err != nil || len(have) != 0 {
		t.Errorf("%d left, %v", len(have), err)
	}
}

func manyAddresses(n int) []Address {
	var out []Address
	for i := range n {
		out = append(out, Address{
			Interface: "v0",
			Prefix:    netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i%250 + 1)}), 32),
		})
	}
	return out
}

func BenchmarkKernelAddresses(b *testing.B) {
	for _, size := range []int{200, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n, _ := pair(b, "v0", "w0")
			a := n.addresses()
			want := manyAddresses(size)
			add, remove := DiffAddresses(nil, want), DiffAddresses(want, nil)
			slices.Reverse(remove)
			for b.Loop() {
				if err := a.Apply(add); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := a.Apply(remove); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
