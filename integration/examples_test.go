//go:build kernel

package integration

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// balances says of each example whether it needs IPVS.
var balances = map[string]bool{
	"pair.conf": false, "pair-v2.conf": false, "pair-ipv6.conf": false, "pair-unicast.conf": false, "sync-group.conf": false,
	"lvs-nat.conf": true, "lvs-dr.conf": true, "tandem.conf": true, "site-lb1.conf": true, "site-lb2.conf": true,
}

// example reads an example, which must be in the list above, and the addresses
// that it asks for.
func example(t *testing.T, name string) (string, []netip.Addr) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "examples", name))
	must(t, err)
	var vips []netip.Addr
	for line := range strings.Lines(string(b)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if p, err := netip.ParsePrefix(word); err == nil {
			vips = append(vips, p.Addr())
		}
	}
	if len(vips) == 0 {
		t.Fatalf("%s: no virtual address read", name)
	}
	return string(b), vips
}

// TestExampleList has every example in the list that the tests below go by.
func TestExampleList(t *testing.T) {
	files, err := filepath.Glob("../examples/*.conf")
	must(t, err)
	for _, f := range files {
		if _, ok := balances[filepath.Base(f)]; !ok {
			t.Errorf("%s is started by no test", f)
		}
	}
	if len(files) != len(balances) {
		t.Errorf("%d examples, and %d in the list", len(files), len(balances))
	}
}

// TestExample starts each example without virtual servers, under tandem and under
// keepalived: both come to hold all its addresses, and tandem has nothing to say
// against the file.
func TestExample(t *testing.T) {
	t.Parallel()
	for name, ipvs := range balances {
		if ipvs {
			continue
		}
		for _, program := range []string{"tandem", "keepalived"} {
			t.Run(program+"/"+name, func(t *testing.T) {
				t.Parallel()
				conf, vips := example(t, name)
				h := newLab(t, "lb1", "lb2").Host("lb1")
				a := agent(t, h, program, conf)
				checked(t, a, program)
				start(t, a)
				if err := h.Addresses.Wait(within(t, 4*time.Second+slack), true, vips...); err != nil {
					t.Error(err)
				}
				must(t, a.Stop(slack))
				if err := h.Addresses.Wait(within(t, slack), false, vips...); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// checked runs a program's own check over its file on its host, where its
// interfaces are: there must be nothing to report.
func checked(t *testing.T, a *lab.Agent, program string) {
	t.Helper()
	args := []string{a.Program, "check", a.Conf()}
	if program == "keepalived" {
		args = []string{a.Program, "-t", "-f", a.Conf()}
	}
	if out, err := a.Host.Run(args...); err != nil {
		t.Errorf("%s: %v: %s", program, err, out)
	}
}

// TestIPVSExample starts each example with virtual servers under tandem, and
// compares its table with keepalived's for the same file.
func TestIPVSExample(t *testing.T) {
	t.Parallel()
	for name, ipvs := range balances {
		if !ipvs {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, vips := example(t, name)
			one, two := newLab(t, "lb1", "lb2"), newLab(t, "lb1", "lb2")
			k := agent(t, one.Host("lb1"), "keepalived", conf)
			n := agent(t, two.Host("lb1"), "tandem", conf)
			checked(t, k, "keepalived")
			checked(t, n, "tandem")
			start(t, k, n)
			for _, a := range []*lab.Agent{k, n} {
				if err := a.Host.Addresses.Wait(within(t, 4*time.Second+patience), true, vips...); err != nil {
					t.Fatal(err)
				}
			}
			// Nothing answers the checks: both tables settle where all have failed.
			settled := 0
			polled(t, 3*patience, 400*time.Millisecond, "the tables are alike", func() error {
				want, err := table(k.Host)
				if err != nil {
					return err
				}
				got, err := table(n.Host)
				if err != nil {
					return err
				}
				settled++
				if len(want) == 0 || !slices.Equal(got, want) {
					settled = 0
				}
				if settled < 6 {
					return &differ{got: got, want: want}
				}
				return nil
			})
			must(t, n.Stop(patience))
			hasTable(t, n.Host)
		})
	}
}

// differ is two tables that are not alike, or not for long enough.
type differ struct{ got, want []string }

// Error implements error.
func (d *differ) Error() string {
	return "tandem's\n  " + strings.Join(d.got, "\n  ") + "\nkeepalived's\n  " + strings.Join(d.want, "\n  ")
}
