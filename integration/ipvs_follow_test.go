//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestIPVSFollow has servers follow a file and a BFD session, by keepalived on one
// host and by tandem on another: in each situation the tables are the same.
func TestIPVSFollow(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1", "lb2", "gateway")
	gw := l.Host("gateway")
	session := func(name string, own, other *lab.Host) string {
		return fmt.Sprintf("bfd_instance %s {\n  source_ip %s\n  neighbor_ip %s\n  min_rx 500\n  min_tx 500\n  multiplier 6\n}\n",
			name, own.IPv4(), other.IPv4())
	}
	server := func(n, weight int, check string) string {
		return fmt.Sprintf("  real_server 192.0.2.%d 80 {\n    weight %d\n    %s\n  }\n", n, weight, check)
	}
	var nodes []*lab.Agent
	numbers := map[*lab.Agent]string{}
	for host, name := range map[string]string{"lb1": "keepalived", "lb2": "tandem"} {
		h := l.Host(host)
		a := agent(t, h, name, "")
		numbers[a] = filepath.Join(a.Dir, "number")
		must(t, os.WriteFile(numbers[a], []byte("0\n"), 0o644))
		must(t, a.Write("track_file load {\n  file "+numbers[a]+"\n}\n"+session("b1", h, gw)+
			"virtual_server 10.9.0.1 80 {\n  delay_loop 1\n  lvs_method DR\n  protocol TCP\n"+
			server(51, 10, "FILE_CHECK {\n      track_file load\n    }")+
			server(52, 10, "FILE_CHECK {\n      track_file load\n      weight 2 reverse\n    }")+
			server(53, 10, "FILE_CHECK {\n      track_file load\n      weight 0\n    }")+
			server(54, 5, "BFD_CHECK {\n      name b1\n    }")+
			server(55, 5, "BFD_CHECK {\n      name b1\n      alpha\n    }")+
			"}\n"))
		nodes = append(nodes, a)
	}
	start(t, nodes...)
	// same waits until both have these weights, by the server's last byte.
	same := func(what string, weights ...string) {
		t.Helper()
		want := []string{"-A -t 10.9.0.1:80 -s wlc"}
		for _, w := range weights {
			n, weight, _ := strings.Cut(w, "=")
			want = append(want, fmt.Sprintf("-a -t 10.9.0.1:80 -r 192.0.2.%s:80 -g -w %s", n, weight))
		}
		slices.Sort(want)
		eventually(t, patience, what, func() error {
			var errs []error
			for _, a := range nodes {
				got, err := table(a.Host)
				if err == nil && !slices.Equal(got, want) {
					err = fmt.Errorf("%s has\n  %s\nnot\n  %s", filepath.Base(a.Program), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
	}
	number := func(text string) {
		t.Helper()
		for _, file := range numbers {
			must(t, os.WriteFile(file+".new", []byte(text), 0o644))
			must(t, os.Rename(file+".new", file))
		}
	}
	same("start", "51=10", "52=10", "53=10")
	far := agent(t, gw, "keepalived", session("b1", gw, l.Host("lb1"))+session("b2", gw, l.Host("lb2")))
	start(t, far)
	same("session up", "51=10", "52=10", "53=10", "54=5", "55=5")
	number("3")
	same("number 3", "51=13", "52=4", "54=5", "55=5")
	number("-4")
	same("number -4", "51=6", "52=18", "54=5", "55=5")
	number("0")
	same("number 0", "51=10", "52=10", "53=10", "54=5", "55=5")
	far.Kill()
	same("session down", "51=10", "52=10", "53=10")
}
