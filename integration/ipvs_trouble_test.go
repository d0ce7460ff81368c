//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// balancing is a virtual server with one real server.
func balancing(vip, scheduler, server string) string {
	return fmt.Sprintf("virtual_server %s 80 {\n  delay_loop 1\n  protocol TCP\n  lvs_sched %s\n  real_server %s 80 {\n"+
		"    TCP_CHECK {\n      connect_timeout 1\n      retry 0\n    }\n  }\n}\n", vip, scheduler, server)
}

// troubled waits until status, log and journal each tell once of an error with
// these words in it.
func troubled(t *testing.T, a *lab.Agent, words ...string) {
	t.Helper()
	all := func(what, text string) error {
		for _, w := range words {
			if !strings.Contains(text, w) {
				return fmt.Errorf("the %s: no %q in %q", what, w, text)
			}
		}
		return nil
	}
	once := func(what, text string) error {
		var told []string
		for l := range strings.Lines(text) {
			if strings.Contains(l, "IPVS: ") {
				told = append(told, l)
			}
		}
		if len(told) != 1 {
			return fmt.Errorf("the %s tells of it %d times:\n%s", what, len(told), text)
		}
		return all(what, told[0])
	}
	eventually(t, patience, "an error that is told once", func() error {
		s, err1 := tryStatus(a)
		events, err2 := a.Ask("events")
		return errors.Join(err1, err2, all("status", s.IPVS), once("log", a.Log()), once("journal", events))
	})
}

// TestPairWithoutIPVS runs virtual servers on a kernel that has no IPVS, or in a
// namespace that hides it: one error says what to do, checks and VRRP go on.
func TestPairWithoutIPVS(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		t.Log("this kernel has IPVS: the error is that of a missing scheduler")
	}
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "tandem")
	must(t, p.lb1.Write(m.conf(p.lb1.Host, p.lb2.Host, 150)+balancing("10.9.0.1", "twos", p.lb2.Host.IPv4().String())))
	p.lead()
	troubled(t, p.lb1, "modprobe ip_vs")
	began := time.Now()
	if s := status(t, p.lb1); len(s.Services) != 1 || len(s.Services[0].Servers) != 1 {
		t.Errorf("the checks are not made: %+v", s.Services)
	}
	must(t, p.lb1.Signal(1))
	reloaded(t, p.lb1, began)
	isIn(t, p.lb1, "VI_1", "MASTER", slack)
	// Trying again does not tell again.
	p.unmoved(began)
	troubled(t, p.lb1, "modprobe ip_vs")
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, slack)
}

// TestIPVSTrouble asks for a scheduler that the kernel lacks, and runs without the
// right to change the table: one error says what to do, what can be kept is kept,
// and VRRP goes on. With another scheduler the service comes.
func TestIPVSTrouble(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: time.Second}
	l := newLab(t, "lb1", "lb2")
	h := l.Host("lb1")
	n := agent(t, h, "tandem", m.conf(h, l.Host("lb2"), 150)+balancing("10.9.0.1", "twos", "10.9.1.1")+balancing("10.9.0.2", "rr", "10.9.1.1"))
	start(t, n)
	isIn(t, n, "VI_1", "MASTER", patience)
	troubled(t, n, "twos", "10.9.0.1", "modprobe ip_vs_twos")
	// Nothing answers their checks.
	hasTable(t, h, "-A -t 10.9.0.2:80 -s rr")
	must(t, n.Write(m.conf(h, l.Host("lb2"), 150)+balancing("10.9.0.1", "rr", "10.9.1.1")+balancing("10.9.0.2", "rr", "10.9.1.1")))
	ask(t, n, "reload")
	hasTable(t, h, "-A -t 10.9.0.1:80 -s rr", "-A -t 10.9.0.2:80 -s rr")
	eventually(t, patience, "the end of the trouble", func() error {
		s, err := tryStatus(n)
		if err == nil && s.IPVS != "" {
			err = errors.New(s.IPVS)
		}
		return err
	})
	must(t, n.Stop(patience))

	without := filepath.Join(n.Dir, "without")
	must(t, lab.WriteProgram(without, []byte("#!/bin/sh\nexec setpriv --bounding-set -net_admin --inh-caps -net_admin "+n.Program+" \"$@\"\n"), 0o755))
	u := agent(t, l.Host("lb2"), "tandem", m.conf(l.Host("lb2"), h, 100)+balancing("10.9.0.2", "rr", "10.9.1.1"))
	u.Program = without
	start(t, u)
	troubled(t, u, "CAP_NET_ADMIN", "run as root")
	must(t, u.Stop(patience))
}
