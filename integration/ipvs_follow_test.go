//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// following is keepalived on one host and tandem on another, whose servers follow a
// file and a BFD session.
type following struct {
	t     *testing.T
	nodes []*lab.Agent
}

// followConf is the file of a node: a service without a quorum and one whose quorum
// the servers that follow make and lose. The text goes into the blocks that follow
// the number as it is.
func followConf(number, session, text string) string {
	server := func(n, weight int, check string) string {
		return fmt.Sprintf("  real_server 192.0.2.%d 80 {\n    weight %d\n    %s\n  }\n", n, weight, check)
	}
	file := func(text string) string {
		return "FILE_CHECK {\n      track_file load\n" + text + "    }"
	}
	bfd := func(text string) string { return "BFD_CHECK {\n      name b1\n" + text + "    }" }
	head := func(vip string) string {
		return "virtual_server " + vip + " 80 {\n  delay_loop 1\n  lvs_method DR\n  protocol TCP\n"
	}
	return "track_file load {\n  file " + number + "\n}\n" + session +
		head("10.9.0.1") +
		server(51, 10, file(text)) +
		server(52, 10, file("      weight 2 reverse\n")) +
		server(53, 10, file("      weight 0\n")) +
		server(54, 5, bfd("")) +
		server(55, 5, bfd("      alpha\n")) + "}\n" +
		head("10.9.0.2") + "  quorum 15\n  sorry_server 192.0.2.69 80\n" +
		server(61, 10, file(text)) +
		server(62, 5, bfd("")) + "}\n"
}

// have waits until both have the servers of these weights, by the server's last
// byte, in the first service, and in the second.
func (f *following) have(what, first, second string) {
	f.t.Helper()
	var want []string
	for i, weights := range []string{first, second} {
		vip := fmt.Sprintf("10.9.0.%d:80", i+1)
		if weights == "" {
			continue
		}
		want = append(want, fmt.Sprintf("-A -t %s -s wlc", vip))
		for _, w := range strings.Fields(weights) {
			n, weight, _ := strings.Cut(w, "=")
			want = append(want, fmt.Sprintf("-a -t %s -r 192.0.2.%s:80 -g -w %s", vip, n, weight))
		}
	}
	slices.Sort(want)
	eventually(f.t, patience, what, func() error {
		var errs []error
		for _, a := range f.nodes {
			got, err := table(a.Host)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("%s has\n  %s\nnot\n  %s", filepath.Base(a.Program), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// number is where a node reads its number.
func number(a *lab.Agent) string { return filepath.Join(a.Dir, "number") }

// set gives both the number.
func (f *following) set(text string) {
	f.t.Helper()
	for _, a := range f.nodes {
		file := number(a)
		must(f.t, os.WriteFile(file+".new", []byte(text), 0o644))
		must(f.t, os.Rename(file+".new", file))
	}
}

// TestIPVSFollow has servers follow a file and a BFD session, by keepalived on one
// host and by tandem on another: in each situation the tables are the same, also
// where the weights make the quorum or lose it, after a reload, and at the end.
func TestIPVSFollow(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1", "lb2", "gateway")
	gw := l.Host("gateway")
	session := func(name string, own, other *lab.Host) string {
		return fmt.Sprintf("bfd_instance %s {\n  source_ip %s\n  neighbor_ip %s\n  min_rx 500\n  min_tx 500\n  multiplier 6\n}\n",
			name, own.IPv4(), other.IPv4())
	}
	f := &following{t: t}
	conf := func(a *lab.Agent, text string) string { return followConf(number(a), session("b1", a.Host, gw), text) }
	for _, c := range [][2]string{{"lb1", "keepalived"}, {"lb2", "tandem"}} {
		a := agent(t, l.Host(c[0]), c[1], "")
		must(t, a.Write(conf(a, "")))
		f.nodes = append(f.nodes, a)
	}
	f.set("0\n")
	start(t, f.nodes...)
	f.have("start", "51=10 52=10 53=10", "69=1")
	far := agent(t, gw, "keepalived", session("b1", gw, l.Host("lb1"))+session("b2", gw, l.Host("lb2")))
	start(t, far)
	f.have("session up", "51=10 52=10 53=10 54=5 55=5", "61=10 62=5")
	f.set("3")
	f.have("number 3", "51=13 52=4 54=5 55=5", "61=13 62=5")
	f.set("-4")
	f.have("number -4", "51=6 52=18 54=5 55=5", "69=1")
	for _, a := range f.nodes {
		must(t, a.Write(conf(a, "      weight -2\n")))
		must(t, a.Signal(syscall.SIGHUP))
	}
	f.have("number -4 after a reload", "51=18 52=18 54=5 55=5", "61=18 62=5")
	f.set("0")
	f.have("number 0", "51=10 52=10 53=10 54=5 55=5", "61=10 62=5")
	far.Kill()
	f.have("session down", "51=10 52=10 53=10", "69=1")
	for _, a := range f.nodes {
		must(t, a.Stop(patience))
	}
	f.have("the end", "", "")
}
