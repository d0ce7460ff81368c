//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// quick is the mode of the tests that are not about how nodes speak.
var quick = mode{version: 3, advert: 200 * time.Millisecond}

// TestPairTrackScript lowers a node's priority by a script that fails, and gives
// it back: the addresses follow.
func TestPairTrackScript(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, quick, "tandem", peer)
			healthy := filepath.Join(p.lb1.Dir, "healthy")
			must(t, os.WriteFile(healthy, nil, 0o644))
			script := writeScript(t, p.lb1, "check", "exec test -e "+healthy+"\n")
			head := fmt.Sprintf("global_defs {\n  script_user root\n}\nvrrp_script app {\n  script %q\n  interval 1\n  weight -60\n  fall 2\n  rise 2\n}\n", script)
			must(t, p.lb1.Write(head+quick.conf(p.lb1.Host, p.lb2.Host, 150, "track_script {", "  app", "}")))
			p.lead()

			must(t, os.Remove(healthy))
			t.Logf("script fails: taken over after %v", p.holds(p.lb2, quick.masterDown(100)+slack))
			if s := instance(t, p.lb1, "VI_1"); s.Priority != 90 {
				t.Errorf("priority %d with the script failing, want 90", s.Priority)
			}
			p.steady(p.lb2)
			must(t, os.WriteFile(healthy, nil, 0o644))
			t.Logf("script succeeds: taken back after %v", p.holds(p.lb1, quick.masterDown(150)+slack))
			if s := instance(t, p.lb1, "VI_1"); s.Priority != 150 {
				t.Errorf("priority %d with the script succeeding, want 150", s.Priority)
			}
			p.steady(p.lb1)
		})
	}
}

// TestPairTrackInterface takes the carrier from a tracked interface: FAULT, the
// peer takes over at once, and all comes back with the carrier.
func TestPairTrackInterface(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	h := p.lb1.Host
	must(t, h.IP("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up"))
	must(t, p.lb1.Write(quick.conf(h, p.lb2.Host, 150, "track_interface {", "  up0", "}")))
	p.lead()
	must(t, h.IP("link set up1 down"))
	t.Logf("tracked interface down: taken over after %v", p.holds(p.lb2, quick.masterDown(100)+slack))
	isIn(t, p.lb1, "VI_1", "FAULT", slack)
	if s := instance(t, p.lb1, "VI_1"); !strings.Contains(strings.Join(s.Faults, " "), "up0") {
		t.Errorf("the faults %q do not name the interface", s.Faults)
	}
	must(t, h.IP("link set up1 up"))
	t.Logf("tracked interface up: taken back after %v", p.holds(p.lb1, quick.masterDown(150)+slack))
	p.steady(p.lb1)
}

// TestPairNotify runs the scripts of each change in order, with keepalived's
// arguments.
func TestPairNotify(t *testing.T) {
	t.Parallel()
	m := quick
	m.instances = 2
	p := newPair(t, m, "tandem", "tandem")
	told := filepath.Join(p.lb1.Dir, "told")
	// Slow on purpose: scripts of one instance do not overtake each other.
	script := writeScript(t, p.lb1, "tell", "sleep 0.2\necho \"$@\" >>"+told+"\n")
	conf := m.conf(p.lb1.Host, p.lb2.Host, 150,
		`notify_master "`+script+` to-master"`, `notify_backup "`+script+` to-backup"`, `notify_fault "`+script+` to-fault"`,
		`notify_stop "`+script+` to-stop"`, `notify "`+script+` any"`)
	conf = strings.Replace(conf, "vrrp_sync_group G1 {", "vrrp_sync_group G1 {\n  notify \""+script+" group\"", 1)
	must(t, p.lb1.Write("global_defs {\n  script_user root\n}\n"+conf))
	p.lead()
	must(t, p.lb1.Host.Cut())
	isIn(t, p.lb1, "VI_1", "FAULT", slack)
	must(t, p.lb1.Host.Mend())
	p.holds(p.lb1, m.masterDown(150)+slack)
	isIn(t, p.lb1, "VI_1", "MASTER", slack)
	must(t, p.lb1.Signal(syscall.SIGTERM))
	if _, err := p.lb1.Wait(within(t, 2*slack)); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string][]string{
		`any INSTANCE VI_1`: {"BACKUP 150", "MASTER 150", "FAULT 150", "BACKUP 150", "MASTER 150", "STOP 150"},
		`any INSTANCE VI_2`: {"BACKUP 150", "MASTER 150", "FAULT 150", "BACKUP 150", "MASTER 150", "STOP 150"},
		`group GROUP G1`:    {"BACKUP 0", "MASTER 0", "FAULT 0", "BACKUP 0", "MASTER 0", "STOP 0"},
	} {
		eventually(t, slack, name, func() error {
			if got := lines(t, told, name+" "); strings.Join(got, ", ") != strings.Join(want, ", ") {
				return fmt.Errorf("told %q, want %q", got, want)
			}
			return nil
		})
	}
	// The scripts of one state are two for each instance: the state's own first.
	got := map[string]int{}
	for _, l := range lines(t, told, "to-") {
		got[l]++
	}
	want := map[string]int{"backup": 4, "master": 4, "fault": 2, "stop": 2}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("notify_%s ran %d times, want %d", k, got[k], n)
		}
	}
}

// lines returns what follows the prefix in the lines of a file that have it.
func lines(t testing.TB, file, prefix string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(t, err)
	var out []string
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

// TestPairFailover makes a standby take over by hand, and give back.
func TestPairFailover(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, quick, peer, "tandem")
			p.lead()
			r := p.move(p.lb1, p.lb2, quick.masterDown(100)+slack, func() { t.Log(ask(t, p.lb2, "failover")) })
			t.Logf("LOSS failover, %s yields: %v", peer, r)
			if peer == "tandem" && r.Lost != 0 {
				t.Errorf("packets lost: %v", r)
			}
			p.steady(p.lb2)
			p.lossless("resume after failover", p.lb2, p.lb1, quick.masterDown(150)+slack, func() { t.Log(ask(t, p.lb2, "resume")) })
			p.steady(p.lb1)
		})
	}
}

// TestPairHoldSurvives shows that a node moved away by hand stays away: over a
// reload and a restart, until nobody else is left.
func TestPairHoldSurvives(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	p.lead()
	ask(t, p.lb1, "switchover")
	p.holds(p.lb2, slack)
	isIn(t, p.lb1, "VI_1", "BACKUP (held)", slack)
	ask(t, p.lb1, "reload")
	must(t, p.lb1.Stop(slack))
	start(t, p.lb1)
	isIn(t, p.lb1, "VI_1", "BACKUP (held)", slack)
	// The better node would have taken over in this time.
	source := p.from(p.lb2)
	if _, err := p.lab.Capture.WaitAdvert(within(t, slack), 8, func(a lab.Advert) bool { return a.Source == source }); err != nil {
		t.Fatal(err)
	}
	p.holds(p.lb2, slack)
	must(t, p.lb2.Stop(slack))
	p.holds(p.lb1, quick.masterDown(150)+slack)
	isIn(t, p.lb1, "VI_1", "MASTER", slack)
}
