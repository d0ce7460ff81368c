//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The table of a large site.
const (
	manyServices = 1000
	serversEach  = 10
	// manyMemory is what a process with all of them may take, in bytes.
	manyMemory = 60 << 20
)

// manyServers is a configuration of 10 000 real servers; all weigh 1 but the first,
// which weighs first.
func manyServers(first int) string {
	var b strings.Builder
	b.WriteString("global_defs {\n  router_id many\n}\n")
	weight := first
	for i := range manyServices {
		fmt.Fprintf(&b, "virtual_server 10.1.%d.%d 80 {\n  delay_loop 10\n  lvs_sched rr\n  lvs_method NAT\n  protocol TCP\n", i/250, i%250+1)
		for j := range serversEach {
			fmt.Fprintf(&b, "  real_server 10.2.%d.%d %d {\n    weight %d\n  }\n", i%250, j+1, 8000+i/250, weight)
			weight = 1
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// TestVerifyIPVSThousands loads 10 000 real servers, changes one by a reload, and
// ends, beside keepalived, whose times it prints: all stand in the kernel, the one
// change and no other, and of tandem nothing is left.
func TestVerifyIPVSThousands(t *testing.T) {
	l := newLab(t, "k", "t")
	// keepalived comes last: it leaves services behind, and of a table that does not
	// fit into one read /proc/net/ip_vs leaves out as many as other namespaces have.
	for _, c := range []struct{ host, program string }{{"t", "tandem"}, {"k", "keepalived"}} {
		a := agent(t, l.Host(c.host), c.program, manyServers(1))
		timed := func(what string, do func() error, done func(table string) error) {
			t.Helper()
			began := time.Now()
			must(t, do())
			polled(t, 4*patience, 100*time.Millisecond, what, func() error {
				table, err := a.Host.Run("cat", "/proc/net/ip_vs")
				return errors.Join(err, done(table))
			})
			t.Logf("%-10s %-6s %v", c.program, what, time.Since(began).Round(10*time.Millisecond))
		}
		timed("load", a.Start, func(table string) error { return counts(table, manyServices, manyServices*serversEach) })
		timed("reload", func() error {
			return errors.Join(a.Write(manyServers(7)), a.Signal(syscall.SIGHUP))
		}, func(table string) error {
			if n := strings.Count(table, " 7      0          0"); n != 1 {
				return fmt.Errorf("%d servers with weight 7", n)
			}
			return counts(table, manyServices, manyServices*serversEach)
		})
		memory := memoryOf(t, a.PID(), "VmRSS")
		t.Logf("%-10s memory %d MiB", c.program, memory>>20)
		if c.program == "keepalived" {
			break // to end, it takes its time
		}
		timed("stop", func() error { return a.Stop(patience) }, func(table string) error { return counts(table, 0, 0) })
		if memory > manyMemory {
			t.Errorf("%d bytes, want %d at most", memory, manyMemory)
		}
	}
}

// counts is an error unless a table has so many services and servers.
func counts(table string, services, servers int) error {
	s, r := strings.Count(table, "\nTCP "), strings.Count(table, "\n  -> ")-1 // one is the heading
	if s != services || r != servers {
		return fmt.Errorf("%d services and %d servers, want %d and %d", s, r, services, servers)
	}
	return nil
}
