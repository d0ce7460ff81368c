package notify

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
)

func command(args ...string) *health.Script { return &health.Script{Args: args, UID: -1, GID: -1} }

// lines shows jobs as "name: command".
func lines(jobs []Job) []string {
	var out []string
	for _, j := range jobs {
		out = append(out, j.Name+": "+strings.Join(j.Script.Args, " "))
	}
	return out
}

func all() Scripts {
	return Scripts{
		Master: command("/m", "x y"), Backup: command("/b"), Fault: command("/f"), Stop: command("/s"),
		Deleted: command("/d"), Any: command("/any", "own"), MasterRxLower: command("/low"),
		TellDeleted: true,
	}
}

func TestVRRPJobs(t *testing.T) {
	for name, tc := range map[string]struct {
		scripts           Scripts
		kind, name, state string
		want              []string
	}{
		"master": {all(), "INSTANCE", "VI_1", "MASTER", []string{"notify_master of instance VI_1: /m x y", "notify of instance VI_1: /any own INSTANCE VI_1 MASTER 150"}},
		"backup": {all(), "INSTANCE", "VI_1", "BACKUP", []string{"notify_backup of instance VI_1: /b", "notify of instance VI_1: /any own INSTANCE VI_1 BACKUP 150"}},
		"fault":  {all(), "INSTANCE", "VI_1", "FAULT", []string{"notify_fault of instance VI_1: /f", "notify of instance VI_1: /any own INSTANCE VI_1 FAULT 150"}},
		"stop":   {all(), "INSTANCE", "VI_1", "STOP", []string{"notify_stop of instance VI_1: /s", "notify of instance VI_1: /any own INSTANCE VI_1 STOP 150"}},
		"deleted": {all(), "INSTANCE", "VI_1", "DELETED",
			[]string{"notify_deleted of instance VI_1: /d", "notify of instance VI_1: /any own INSTANCE VI_1 DELETED 150"}},
		"deleted, and nobody asked for it": {Scripts{Fault: command("/f"), Any: command("/any")}, "INSTANCE", "VI_1", "DELETED",
			[]string{"notify of instance VI_1: /any INSTANCE VI_1 FAULT 150"}},
		"notify_deleted without a script": {Scripts{Fault: command("/f"), Any: command("/any"), TellDeleted: true}, "INSTANCE", "VI_1", "DELETED",
			[]string{"notify of instance VI_1: /any INSTANCE VI_1 DELETED 150"}},
		"group has no priority": {all(), "GROUP", "VG_1", "MASTER", []string{"notify_master of group VG_1: /m x y", "notify of group VG_1: /any own GROUP VG_1 MASTER 0"}},
		"only notify":           {Scripts{Any: command("/any")}, "INSTANCE", "VI_1", "BACKUP", []string{"notify of instance VI_1: /any INSTANCE VI_1 BACKUP 150"}},
		"only the state's":      {Scripts{Backup: command("/b")}, "INSTANCE", "VI_1", "BACKUP", []string{"notify_backup of instance VI_1: /b"}},
		"none for the state":    {Scripts{Backup: command("/b")}, "INSTANCE", "VI_1", "MASTER", nil},
		"init is no news":       {all(), "INSTANCE", "VI_1", "INIT", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(VRRPJobs(tc.scripts, tc.kind, tc.name, tc.state, 150))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The arguments of one job must not show up in another's.
func TestVRRPJobsShareNoArguments(t *testing.T) {
	args := make([]string, 1, 10)
	args[0] = "/any"
	s := Scripts{Any: &health.Script{Args: args}}
	first := VRRPJobs(s, journal.Instance, "A", journal.Master, 1)
	VRRPJobs(s, journal.Instance, "B", journal.Backup, 2)
	if got := lines(first)[0]; got != "notify of instance A: /any INSTANCE A MASTER 1" {
		t.Error(got)
	}
}

func TestOtherJobs(t *testing.T) {
	got := append(lines(LowerPriorityJobs(all(), "VI_1")), lines(ServerJobs(command("/up", "a"), "notify_up", "[192.0.2.1]:tcp:80"))...)
	want := []string{"notify_master_rx_lower_pri of instance VI_1: /low", "notify_up of [192.0.2.1]:tcp:80: /up a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if LowerPriorityJobs(Scripts{}, "VI_1") != nil || ServerJobs(nil, "notify_up", "x") != nil {
		t.Error("jobs without a script")
	}
}

func TestResolveScripts(t *testing.T) {
	refused := errors.New("refused")
	line := func(s string) *config.Command { return &config.Command{Args: []string{s}} }
	resolve := func(c config.Command) (health.Script, error) {
		if c.Args[0] == "/b" {
			return health.Script{}, refused
		}
		return health.Script{Args: c.Args, UID: 7}, nil
	}
	got, errs := ResolveScripts(config.Notify{
		Master: line("/m"), Backup: line("/b"), Fault: line("/f"), Stop: line("/s"),
		Deleted: line("/d"), Any: line("/a"), MasterRxLower: line("/l"),
	}, resolve)
	seven := func(s string) *health.Script { return &health.Script{Args: []string{s}, UID: 7} }
	want := Scripts{Master: seven("/m"), Fault: seven("/f"), Stop: seven("/s"), Deleted: seven("/d"), Any: seven("/a"), MasterRxLower: seven("/l")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(errs) != 1 || !errors.Is(errs[0], refused) {
		t.Errorf("errors %v", errs)
	}
	if none, errs := ResolveScripts(config.Notify{}, resolve); none != (Scripts{}) || errs != nil {
		t.Errorf("%+v, errors %v of nothing", none, errs)
	}
}
