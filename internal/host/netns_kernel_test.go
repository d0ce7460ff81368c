//go:build kernel

package host

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

// A socket that is opened in a namespace stays there, and the thread does not.
func TestKernelInNamespace(t *testing.T) {
	name := fmt.Sprintf("tandem-%d-there", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	if out, err := exec.Command("ip", "-n", name, "link", "add", "only-there", "type", "veth", "peer", "name", "other").CombinedOutput(); err != nil {
		t.Fatalf("ip link add: %v: %s", err, out)
	}
	var v *VirtualLinks
	seen := func() bool {
		_, err := net.InterfaceByName("only-there")
		return err == nil
	}
	err := InNamespace(name, func() (err error) {
		if !seen() {
			t.Error("the thread is not in the namespace")
		}
		v, err = NewVirtualLinks(NewSysctls())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	if seen() {
		t.Error("a link of the namespace is seen outside")
	}
	links, err := v.List()
	if err != nil || len(links) != 3 {
		t.Errorf("links there: %v, %v", links, err)
	}
	for _, bad := range []string{"no-such-namespace", "../x", "a/b", ".."} {
		if err := InNamespace(bad, func() error { t.Error("called"); return nil }); err == nil {
			t.Errorf("namespace %q is accepted", bad)
		}
	}
}
