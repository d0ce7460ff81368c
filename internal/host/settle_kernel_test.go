//go:build kernel

package host

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel acknowledges an IPv6 address before it can be reached; Apply
// returns when it can.
func TestKernelIPv6AddressesAreReachableWhenApplyReturns(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "-6", "addr", "add", "fd00:9::1/64", "dev", "v0", "nodad")
	table := n.addresses()
	var changes []AddressChange
	for i := range 50 {
		changes = append(changes, AddressChange{Op: AddAddress, Address: Address{
			Prefix: netip.MustParsePrefix(fmt.Sprintf("fd00:9::%x/128", 0x100+i)), Interface: "v0",
			Flags: unix.IFA_F_NODAD, Deprecated: true,
		}})
	}
	asker := n.addresses()
	index, err := asker.batch.conn.index("v0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := table.Apply([]AddressChange{c}); err != nil {
			t.Fatal(err)
		}
		if local, err := asker.local(c.Address.Prefix.Addr(), index); err != nil || !local {
			t.Fatalf("%s: reachable %v, %v", c, local, err)
		}
	}
	elsewhere := netip.MustParseAddr("fd00:9::dead")
	if local, err := asker.local(elsewhere, index); err != nil || local {
		t.Fatalf("%s, which is not ours: reachable %v, %v", elsewhere, local, err)
	}
}

// An address of an interface that is down cannot be reached before it is up, and
// nobody waits for that.
func TestKernelIPv6AddressesOfAnInterfaceThatIsDown(t *testing.T) {
	n, _ := pair(t, "v0", "w0")
	n.run("ip", "link", "set", "v0", "down")
	began := time.Now()
	a := AddressChange{Op: AddAddress, Address: Address{Prefix: netip.MustParsePrefix("fd00:9::100/128"), Interface: "v0", Flags: unix.IFA_F_NODAD}}
	if err := n.addresses().Apply([]AddressChange{a}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= busyLimit {
		t.Errorf("it took %v", took)
	}
}
