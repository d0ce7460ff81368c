//go:build kernel

package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// slowly is a script that says what it was called with when it has worked for a while.
func slowly(t *testing.T, a *lab.Agent) (script, told string) {
	told = filepath.Join(a.Dir, "told")
	return writeScript(t, a, "slowly", "sleep 1.2\necho \"$@\" >>"+told+"\n"), told
}

// TestPairLastWords has scripts of a stop take longer than keepalived lets them.
func TestPairLastWords(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	script, told := slowly(t, p.lb1)
	extra := []string{`notify_stop "` + script + ` stop"`, `notify "` + script + `"`}
	must(t, p.lb1.Write("global_defs {\n  script_user root\n}\n"+quick.conf(p.lb1.Host, p.lb2.Host, 150, extra...)))
	p.lead()
	eventually(t, slack, "the scripts of a master", func() error {
		if got := lines(t, told, "INSTANCE VI_1 "); !slices.Equal(got, []string{"BACKUP 150", "MASTER 150"}) {
			return fmt.Errorf("told %q", got)
		}
		return nil
	})
	must(t, p.lb1.Stop(2*slack))
	if got, want := lines(t, told, ""), "stop, INSTANCE VI_1 STOP 150"; !strings.HasSuffix(strings.Join(got, ", "), want) {
		t.Errorf("told %q, want %q at the end", got, want)
	}
}

// TestIPVSLastWords has the scripts of a service, which run one after the other, take
// as long.
func TestIPVSLastWords(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb")
	a := agent(t, l.Host("lb"), "tandem", "")
	script, told := slowly(t, a)
	var servers strings.Builder
	for i := range 2 {
		fmt.Fprintf(&servers, "  real_server 192.0.2.%d 80 {\n    notify_down \"%s down\"\n  }\n", 80+i, script)
	}
	must(t, a.Write(fmt.Sprintf("global_defs {\n  script_user root\n}\nvirtual_server 10.9.0.1 80 {\n  lvs_sched rr\n  lvs_method DR\n"+
		"  protocol TCP\n  omega\n  quorum_down \"%s quorum\"\n%s}\n", script, servers.String())))
	start(t, a)
	eventually(t, patience, "the table", func() error {
		got, err := table(a.Host)
		if err == nil && len(got) != 3 {
			err = fmt.Errorf("%q", got)
		}
		return err
	})
	must(t, a.Stop(patience))
	if got := lines(t, told, ""); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"down", "down", "quorum"}) {
		t.Errorf("told %q", got)
	}
}
