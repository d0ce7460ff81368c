//go:build kernel

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// nobody is a user and a group without any right.
const nobody = 65534

// withoutRoot makes an agent's program one that drops root first and keeps what
// packaging/systemd/unprivileged.conf keeps.
func withoutRoot(t *testing.T, l *lab.Lab, a *lab.Agent) {
	t.Helper()
	// The checkout may be where nobody else can look.
	for _, dir := range []string{l.Dir, l.Fast} {
		must(t, os.Chmod(dir, 0o711))
	}
	binary, err := os.ReadFile(a.Program)
	must(t, err)
	program := filepath.Join(a.Dir, "tandem")
	must(t, lab.WriteProgram(program, binary, 0o755))
	script := fmt.Sprintf("#!/bin/sh\nexec setpriv --reuid %d --regid %d --clear-groups --inh-caps -all,+net_admin,+net_raw "+
		"--ambient-caps -all,+net_admin,+net_raw --bounding-set -all,+net_admin,+net_raw --no-new-privs %s \"$@\"\n", nobody, nobody, program)
	a.Program = filepath.Join(a.Dir, "start")
	must(t, lab.WriteProgram(a.Program, []byte(script), 0o755))
	run := strings.TrimPrefix(a.Env[0], "TANDEM_RUN=")
	must(t, os.MkdirAll(run, 0o755))
	for _, dir := range []string{a.Dir, run} {
		must(t, os.Chown(dir, nobody, nobody))
	}
	must(t, os.Chown(a.LogFile(), nobody, nobody))
}

// TestPairUnprivileged runs a node as a user without rights but for the two that
// packet sockets and addresses take: it is a whole node, with keepalived as its
// peer.
func TestPairUnprivileged(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	must(t, os.WriteFile(p.lb1.LogFile(), nil, 0o644))
	withoutRoot(t, p.lab, p.lb1)
	p.lead()
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.lb1.PID()))
	must(t, err)
	for _, line := range []string{
		fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d", nobody, nobody, nobody, nobody),
		// CAP_NET_ADMIN is 12, CAP_NET_RAW 13.
		"CapEff:\t0000000000003000", "CapBnd:\t0000000000003000", "NoNewPrivs:\t1",
	} {
		if !strings.Contains(string(state), line) {
			t.Fatalf("the node runs with more or less than it should: no %q in\n%s", line, state)
		}
	}
	if _, err := p.lb1.Ask("switchover"); err != nil {
		t.Fatal(err)
	}
	p.holds(p.lb2, slack)
	if _, err := p.lb1.Ask("resume"); err != nil {
		t.Fatal(err)
	}
	p.holds(p.lb1, p.mode.masterDown(150)+slack)
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, slack)
}
