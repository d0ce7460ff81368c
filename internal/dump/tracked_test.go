package dump

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// tracker is a status whose instance tracks one of everything, as keepalived
// 2.2.7 was asked to dump it.
func tracker() control.Status {
	in := &config.Instance{
		Name: "VI_1", Interface: "v0", Version: 2, SMTPAlert: true,
		TrackScripts:   []config.Track{{Name: "chk", Weight: 10}, {Name: "bad", Weight: -6, Reverse: true}},
		TrackFiles:     []config.Track{{Name: "tf", Weight: 2}},
		TrackProcesses: []config.Track{{Name: "tp", Weight: 3}},
		TrackBFD:       []config.Track{{Name: "B1", Weight: 7}},
		Routes: []config.Route{{Type: "unicast", Mode: "prepend", Destination: netip.MustParsePrefix("198.51.100.0/24"), Table: 254, Protocol: 18,
			Scope: -1, Metric: 5, Hop: config.NextHop{Via: netip.MustParseAddr("192.0.2.9"), Interface: "v0"}}},
		Rules: []config.Rule{{From: netip.MustParsePrefix("192.0.2.100/32"), Preference: 16384, Action: "lookup", Table: 50, Protocol: 18}},
	}
	s := control.Status{
		Scripts:   []control.ScriptStatus{{Name: "chk", State: "up"}, {Name: "bad", State: "down", Running: true}, {Name: "new", State: "unknown"}},
		Files:     []control.FileStatus{{Name: "tf", Path: "/run/tf", Value: 3}},
		Processes: []control.ProcessStatus{{Name: "tp", State: "down"}},
		BFD: []control.BFDStatus{{Name: "B1", Neighbour: netip.MustParseAddr("192.0.2.9"), Source: netip.MustParseAddr("192.0.2.1"),
			State: "Down", Remote: "Down", Diag: "No Diagnostic", RemoteDiag: "No Diagnostic", Tx: time.Second}},
		Config: &config.Config{
			Instances: []*config.Instance{in},
			Scripts: []*config.Script{{Name: "chk", Command: config.Command{Args: []string{"/usr/bin/true"}}, Interval: time.Second, Timeout: time.Second,
				Weight: 10, Rise: 2, Fall: 3}},
			TrackProcesses: []*config.TrackProcess{{Name: "tp", Process: "none", Quorum: 1, QuorumMax: -1, Weight: 3}},
			BFD: []*config.BFDSession{{Name: "B1", MinRx: 200 * time.Millisecond, MinTx: 200 * time.Millisecond, IdleTx: time.Second,
				Multiplier: 3, TTL: 255, VRRP: true, Checker: true}},
		},
	}
	i := control.InstanceStatus{Interface: "v0"}
	i.Name = "VI_1"
	s.Instances = []control.InstanceStatus{i}
	return s
}

// TestTracked holds what is tracked against keepalived 2.2.7's lines for it.
func TestTracked(t *testing.T) {
	const want = `------< VRRP Scripts >------
 VRRP Script = chk
   Command = '/usr/bin/true'
   Interval = 1 sec
   Timeout = 1 sec
   Weight = 10
   Rise = 2
   Fall = 3
   Status = GOOD
   Tracking instances :
     VI_1, weight 10
   State = idle
 VRRP Script = bad
   Status = BAD
   Tracking instances :
     VI_1, weight -6 reverse
   State = running
 VRRP Script = new
   Status = GOOD
   Tracking instances :
   State = idle
------< VRRP Track files >------
 Track file = tf
   File = /run/tf
   Status = 3
   Tracking instances :
     VI_1, weight 2
------< VRRP Track processes >------
 VRRP Track process = tp
   Process = none
   Min processes = 1
   Current processes = 0
   Have quorum = false
   Weight = 3
   Terminate delay = 0.000000s
   Fork delay = 0.000000s
   Full command = false
   Tracking instances :
     VI_1, weight 3
------< VRRP Track BFDs >------
 VRRP Track BFD = B1
   Bfd is down
   Tracking instances :
     VI_1, weight 7
`
	text := string(Data(tracker()))
	_, got, _ := strings.Cut(text, "------< VRRP Scripts")
	if d := cmp.Diff(want, "------< VRRP Scripts"+got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	const lines = `   Virtual Routes :
     prepend 198.51.100.0/24 via inet 192.0.2.9 dev v0 proto 18 metric 5
   Virtual Rules :
     from 192.0.2.100 priority 16384 tos 0x0 protocol 18 lookup 50
   Tracked scripts :
     chk weight 10
     bad weight -6 reverse
   Tracked files :
     tf, weight 2
   Tracked processes :
     tp, weight 3
   Tracked BFDs :
     B1: weight 7
   Using smtp notification = yes
`
	if !strings.Contains(text, lines) {
		t.Errorf("the instance has not\n%s\nin\n%s", lines, text)
	}
}

// TestBFDData holds a session against keepalived 2.2.7's lines for it.
func TestBFDData(t *testing.T) {
	const want = `------< BFD Topology >------
 BFD Instance = B1
   Neighbor IP = 192.0.2.9
   Source IP = 192.0.2.1
   Required min RX interval = 200000 us
   Desired min TX interval = 200000 us
   Desired idle TX interval = 1000000 us
   Detection multiplier = 3
   TTL = 255
   max_hops = 0
   passive = false
   send event to VRRP process = Yes
   send event to checker process = Yes
   local state = Down
   remote state = Down
   local diag = No Diagnostic
   remote diag = No Diagnostic
   local tx intv = 1000000 us
   local detection time = 0 us
`
	_, got, _ := strings.Cut(string(BFDData(tracker())), "------< BFD")
	if d := cmp.Diff(want, "------< BFD"+got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestJSONVersion has the second form hold the first, and the processes.
func TestJSONVersion(t *testing.T) {
	s := tracker()
	one, err := JSON(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Global.Files.JSONVersion = 2
	two, err := JSON(s)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	var both struct {
		VRRP      []map[string]any `json:"vrrp"`
		Processes []map[string]any `json:"track_process"`
	}
	if err := json.Unmarshal(one, &list); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(two, &both); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(list, both.VRRP); d != "" {
		t.Errorf("the instances (-1 +2):\n%s", d)
	}
	// The names and words are those of keepalived 2.3.4.
	want := []map[string]any{{"process": "tp", "param_match": "none", "min_processes": 1.0, "current_processes": 0.0, "have_quorum": false, "weight": 3.0,
		"terminate_delay": 0.0, "fork_delay": 0.0, "fork_delay_timer_running": false, "terminate_delay_timer_running": false, "full_command": false}}
	if d := cmp.Diff(want, both.Processes); d != "" {
		t.Errorf("the processes (-want +got):\n%s", d)
	}
	data := list[0]["data"].(map[string]any)
	for key, want := range map[string]any{
		"smtp_alert": true, "vroutes": []any{"prepend 198.51.100.0/24 via inet 192.0.2.9 dev v0 proto 18 metric 5"},
		"vrules": []any{"from 192.0.2.100 priority 16384 tos 0x0 protocol 18 lookup 50"}, "track_script": []any{"'/usr/bin/true'", "bad"},
	} {
		if d := cmp.Diff(want, data[key]); d != "" {
			t.Errorf("%s (-want +got):\n%s", key, d)
		}
	}
}

// TestDataFile has the names that keepalived 2.2.7 gives its files, and those of
// state_dump_file, which it does not know.
func TestDataFile(t *testing.T) {
	for _, c := range []struct {
		conf config.Config
		part Part
		want string
	}{
		{config.Config{}, VRRP, "/tmp/keepalived.data"},
		{config.Config{}, Parent, "/tmp/keepalived_parent.data"},
		{files(config.Files{DumpInstance: true}, "", ""), Check, "/tmp/keepalived_check.data"},
		{files(config.Files{DumpInstance: true}, "", "foo"), VRRP, "/tmp/keepalived.foo.data"},
		{files(config.Files{DumpInstance: true}, "mx", "foo"), BFD, "/tmp/keepalived_bfd.mx_foo.data"},
		{files(config.Files{StateDump: "/var/lib/k/"}, "mx", "foo"), VRRP, "/var/lib/k/keepalived.data"},
		{files(config.Files{StateDump: "/var/lib/k/state.txt"}, "", ""), Parent, "/var/lib/k/state_parent.txt"},
		{files(config.Files{StateDump: "state.txt", DumpInstance: true}, "", "foo"), Check, "/tmp/state_check.foo.txt"},
	} {
		if got := DataFile("/tmp", &c.conf, c.part); got != c.want {
			t.Errorf("%+v%s: %s, want %s", c.conf.Global.Files, c.part, got, c.want)
		}
	}
}

func files(f config.Files, namespace, instance string) config.Config {
	return config.Config{Global: config.Global{Files: f}, Process: config.Process{NetNamespace: namespace, Instance: instance}}
}
