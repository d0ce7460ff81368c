//go:build kernel

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestPairOuterScripts runs a script around each program: the first before the
// program has any address, and the last after it has let them all go. That the
// first fails, and that the last never ends, keeps nothing from going on.
func TestPairOuterScripts(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		script := writeScript(t, n, "outer", "ip -o addr show dev eth0 >"+n.Dir+"/$1.said\n[ $1 = before ] && exit 3\nexec sleep 60\n")
		priority := 150
		if n == p.lb2 {
			priority = 100
		}
		must(t, n.Write(global("script_user root\n  startup_script \""+script+" before\"\n  shutdown_script \""+script+" after\"\n  shutdown_script_timeout 1")(
			m.conf(n.Host, p.other(n).Host, priority))))
	}
	p.lead()
	vip := p.vips()[0].String() + "/"
	heard := func(name, dir string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name+".said"))
		must(t, err)
		return string(b)
	}
	must(t, p.lb1.Stop(slack))
	p.settle(p.lb2)
	must(t, p.lb2.Stop(slack))
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		for _, name := range []string{"before", "after"} {
			if said := heard(name, n.Dir); !strings.Contains(said, n.Host.IPv4().String()) || strings.Contains(said, vip) {
				t.Errorf("%s: %s it the addresses were:\n%s", n.Host.Name, name, said)
			}
		}
	}
	for _, line := range []string{"failed, status 3", "was killed: it ran longer than 1s"} {
		if !strings.Contains(p.lb1.Log(), line) {
			t.Errorf("the log lacks %q:\n%s", line, tail(p.lb1.Log(), 10))
		}
	}
}
