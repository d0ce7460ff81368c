//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// manyInstances is 250 instances with an interval of 0.1 s.
func manyInstances(priority int) string {
	var b strings.Builder
	b.WriteString("global_defs {\n  vrrp_version 3\n  vrrp_rt_priority 10\n  vrrp_rlimit_rttime 1000000\n}\n")
	for i := range 250 {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n  state BACKUP\n  interface %s\n  virtual_router_id %d\n  priority %d\n  advert_int 0.1\n  virtual_ipaddress {\n    10.9.0.%d/32\n  }\n}\n",
			i+1, lab.NIC, i+1, priority, i+1)
	}
	return b.String()
}

// rawDrops is how many packets the raw sockets of a host had no room for.
func rawDrops(t *testing.T, h *lab.Host) int {
	t.Helper()
	out, err := h.Run("cat", "/proc/net/raw")
	must(t, err)
	sum, sockets := 0, 0
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "sl" {
			continue
		}
		n, err := strconv.Atoi(f[len(f)-1])
		must(t, err)
		sum += n
		sockets++
	}
	if sockets == 0 {
		t.Fatal("nobody has a raw socket")
	}
	return sum
}

// advertsLeft is how many packets a host has sent: the master of many sends little
// else.
func advertsLeft(t *testing.T, h *lab.Host) int {
	t.Helper()
	out, err := h.Run("cat", "/proc/net/dev")
	must(t, err)
	for line := range strings.Lines(out) {
		name, counts, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == lab.NIC {
			n, err := strconv.Atoi(strings.Fields(counts)[9])
			must(t, err)
			return n
		}
	}
	t.Fatalf("%s has no %s", h.Name, lab.NIC)
	return 0
}

// TestVerifyPairMany has a keepalived hear a master of 250 instances for a while:
// its socket, of the kernel's default size, has room for all of their adverts,
// because no more than 32 come at once. While it starts it reads none.
func TestVerifyPairMany(t *testing.T) {
	l := newLab(t, "lb1", "lb2")
	h1, h2 := l.Host("lb1"), l.Host("lb2")
	master, backup := agent(t, h1, "tandem", manyInstances(150)), agent(t, h2, "keepalived", manyInstances(100))
	start(t, master)
	eventually(t, slack, "all addresses are there", func() error { return holdsMany(h1) })
	start(t, backup)
	eventually(t, slack, "the backup reads", func() error {
		if !strings.Contains(backup.Log(), "(VI_250) Entering BACKUP STATE") {
			return errors.New("it has not come to the last instance")
		}
		return nil
	})
	const seconds = 2
	for range rounds(t, 1) + 1 {
		before, dropped, began := advertsLeft(t, h1), rawDrops(t, h2), time.Now()
		want := 250 * 10 * seconds
		eventually(t, slack, "adverts have gone out", func() error {
			if n := advertsLeft(t, h1) - before; n < want {
				return fmt.Errorf("%d of %d", n, want)
			}
			return nil
		})
		lost := rawDrops(t, h2) - dropped
		t.Logf("MANY %d adverts in %v, %d dropped in the peer's socket", want, time.Since(began), lost)
		if lost > 0 {
			t.Errorf("%d adverts were dropped in the peer's socket", lost)
		}
	}
	if strings.Contains(backup.Log(), "Entering MASTER STATE") {
		t.Error("the backup took over beside its master")
	}
}

// holdsMany says whether a host has the addresses of all instances.
func holdsMany(h *lab.Host) error {
	out, err := h.Run("ip", "-4", "-o", "addr", "show", "dev", lab.NIC)
	if err != nil {
		return err
	}
	if n := strings.Count(out, " 10.9.0."); n != 250 {
		return fmt.Errorf("%s has %d of 250 addresses", h.Name, n)
	}
	return nil
}
