package dump

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// sample is a master like one that keepalived was asked to dump, so that the
// expectations below are keepalived 2.2.7's own output.
func sample() control.Status {
	at := time.Unix(1795414740, 308298000)
	command := &config.Command{Args: []string{"/etc/notify.sh", "x", "y"}}
	held := []netip.Addr{netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("10.9.9.10")}
	conf := &config.Instance{
		Name: "A", Interface: "v0", VRID: 5, Version: 3, Priority: 150, AdvertInterval: 500 * time.Millisecond, DownTimerAdverts: 3,
		Accept: true, TrackPrimary: true, Source: netip.MustParseAddr("10.9.9.1"),
		Peers: []config.UnicastPeer{{Addr: netip.MustParseAddr("10.9.9.2")}}, UnicastTTL: 255,
		Addresses:       []config.Address{{Prefix: netip.MustParsePrefix("10.9.9.9/24"), Interface: "v0", Label: "v0:1"}},
		Excluded:        []config.Address{{Prefix: netip.MustParsePrefix("10.9.9.10/32"), Interface: "v0"}},
		TrackInterfaces: []config.Track{{Name: "v1"}},
		GARP:            config.GARP{Delay: 5 * time.Second, Repeat: 5, RefreshRepeat: 1, LowerPrioDelay: 5 * time.Second, LowerPrioRepeat: 5},
		Notify:          config.Notify{Master: command},
	}
	return control.Status{
		RouterID: "r1",
		Instances: []control.InstanceStatus{{
			Status:    vrrp.Status{Name: "A", State: vrrp.Master, Since: at, Priority: 150, MasterInterval: 500 * time.Millisecond, Held: held},
			StateName: "MASTER", Interface: "v0", VRID: 5, Version: 3, BasePriority: 150, Interval: 500 * time.Millisecond, SyncGroup: "G",
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.9.9/24")}, Excluded: []netip.Prefix{netip.MustParsePrefix("10.9.9.10/32")},
			Counters: control.Counters{
				AdvertsReceived: 1, AdvertsSent: 18, BecameMaster: 3, ReleasedMaster: 4, PriorityZeroRcvd: 21, PriorityZeroSent: 22,
				Dropped: map[vrrp.Reason]uint64{
					vrrp.DropLength: 5, vrrp.DropTTL: 6, vrrp.DropType: 7, vrrp.DropInterval: 8, vrrp.DropAddressCount: 9,
					vrrp.DropAuthType: 10, vrrp.DropAuthMismatch: 11, vrrp.DropAuthFailed: 12,
				},
			},
		}},
		Groups: []control.GroupStatus{{Name: "G", State: vrrp.Master, Members: []string{"A", "B"}}},
		Config: &config.Config{
			Global: config.Global{RouterID: "r1"}, Instances: []*config.Instance{conf},
			SyncGroups: []*config.SyncGroup{{Name: "G", Members: []string{"A", "B"}, Notify: config.Notify{Master: command}}},
		},
	}
}

func TestStats(t *testing.T) {
	const want = `VRRP Instance: A
  Advertisements:
    Received: 1
    Sent: 18
  Became master: 3
  Released master: 4
  Packet Errors:
    Length: 5
    TTL: 6
    Invalid Type: 7
    Advertisement Interval: 8
    Address List: 9
  Authentication Errors:
    Invalid Type: 10
    Type Mismatch: 11
    Failure: 12
  Authentication Extension Errors:
    Missing: 0
    Malformed: 0
    Unknown Key: 0
    Invalid HMAC: 0
    Stale: 0
    Replay: 0
  Priority Zero:
    Received: 21
    Sent: 22
`
	s := sample()
	if d := cmp.Diff(want, string(Stats(s))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	s.Instances = append(s.Instances, s.Instances[0])
	if d := cmp.Diff(want+want, string(Stats(s))); d != "" {
		t.Errorf("two instances (-want +got):\n%s", d)
	}
}

func TestBaseline(t *testing.T) {
	s := sample()
	base := BaselineOf(s)
	later := sample()
	c := &later.Instances[0].Counters
	c.AdvertsSent += 2
	c.Dropped[vrrp.DropTTL]++
	got := base.Since(later).Instances[0].Counters
	if got.AdvertsSent != 2 || got.BecameMaster != 0 || got.Dropped[vrrp.DropTTL] != 1 || got.Dropped[vrrp.DropType] != 0 {
		t.Errorf("%+v", got)
	}
	if later.Instances[0].Counters.AdvertsSent != 20 {
		t.Error("the status given was changed")
	}
	// Removed and added again, an instance counts from zero.
	c.AdvertsSent, c.AdvertsReceived = 1, 0
	if got := base.Since(later).Instances[0].Counters.AdvertsSent; got != 1 {
		t.Errorf("after a new beginning: %d", got)
	}
	if got := Baseline(nil).Since(later).Instances[0].Counters.AdvertsSent; got != 1 {
		t.Errorf("without a baseline: %d", got)
	}
}

// keepalivedData are the lines of keepalived 2.2.7's dump that tandem has too,
// in its order. Timers and descriptors are its own.
const keepalivedData = `------< VRRP Topology >------
 VRRP Instance = A
   VRRP Version = 3
   Sync group = G
   State = MASTER
   Flags:
     Using unicast
   Wantstate = MASTER
   Number of interface and track script faults = 0
   Last transition = 1795414740.308298 (LOCAL)
   Interface = v0
   Using src_ip = 10.9.9.1 (from configuration)
   Gratuitous ARP delay = 5
   Gratuitous ARP repeat = 5
   Gratuitous ARP refresh = 0
   Gratuitous ARP refresh repeat = 1
   Gratuitous ARP lower priority delay = 5
   Gratuitous ARP lower priority repeat = 5
   Down timer adverts = 3
   Send advert after receive lower priority advert = true
   Send advert after receive higher priority advert = false
   Virtual Router ID = 5
   Priority = 150
   Effective priority = 150
   Total priority = 150
   Advert interval = 500 milli-sec
   Accept = enabled
   Preempt = disabled
   Promote_secondaries = disabled
   Virtual IP (1):
     10.9.9.9/24 dev v0 scope global label v0:1 set
   Virtual IP Excluded :
     10.9.9.10 dev v0 scope global set
   Unicast TTL = 255
   Check unicast src : no
   Unicast Peer :
     10.9.9.2 min_ttl 0 max_ttl 255
   Unicast checksum compatibility = no
   Tracked interfaces :
     v1 weight 0
   Using smtp notification = no
   Notify deleted = Fault
   Master state transition script = '/etc/notify.sh' 'x' 'y'
------< VRRP Sync groups >------
 VRRP Sync Group = G, MASTER
   VRRP member instances :
     A
     B
   Using smtp notification = no
   Master state transition script = '/etc/notify.sh' 'x' 'y'
`

func TestData(t *testing.T) {
	s := sample()
	_, got, found := strings.Cut(string(Data(s)), "------< VRRP Topology")
	if !found {
		t.Fatalf("no topology in %s", Data(s))
	}
	got = "------< VRRP Topology" + got
	local := s.Instances[0].Since.Local().Format("Mon Jan _2 15:04:05.000000 2006")
	if d := cmp.Diff(keepalivedData, strings.Replace(got, local, "LOCAL", 1)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDataShowsWhatIsWrong(t *testing.T) {
	s := sample()
	i := &s.Instances[0]
	i.State, i.Faults, i.Held, i.Hold, i.Offering, i.Forced = vrrp.Failed, []string{"interface v0 down"}, nil, true, true, true
	i.DampedUntil, i.Ineligible = time.Unix(1, 0), "ping 10.9.9.1 does not answer"
	text := string(Data(s))
	for _, want := range []string{"State = FAULT\n", "Wantstate = FAULT", "faults = 1\n     interface v0 down", "Held by operator", "Offering", "Forced by operator", "Damped = true", "May not take over: ping 10.9.9.1 does not answer", "10.9.9.9/24 dev v0 scope global label v0:1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// As keepalived 2.2.7 has it for a lone instance, and for the two of a group.
func TestWantState(t *testing.T) {
	own, groups := []string{"interface v0 down"}, []string{"sync group member B is in FAULT"}
	for _, tc := range []struct {
		what   string
		status vrrp.Status
		want   vrrp.State
	}{
		{"a master", vrrp.Status{State: vrrp.Master}, vrrp.Master},
		{"before the start", vrrp.Status{State: vrrp.Init}, vrrp.Backup},
		{"a fault of its own", vrrp.Status{State: vrrp.Failed, Faults: own, Cause: vrrp.Cause{Kind: vrrp.CauseLink}}, vrrp.Failed},
		{"pulled by its group", vrrp.Status{State: vrrp.Failed, Faults: groups, GroupFault: "B", Cause: vrrp.Cause{Kind: vrrp.CauseGroup}}, vrrp.Failed},
		{"well again, and held back by its group", vrrp.Status{State: vrrp.Failed, Faults: groups, GroupFault: "B", Cause: vrrp.Cause{Kind: vrrp.CauseLink}}, vrrp.Backup},
	} {
		if got := wanted(control.InstanceStatus{Status: tc.status}); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.what, got, tc.want)
		}
	}
}

func TestPasswordIsNotWritten(t *testing.T) {
	s := sample()
	s.Config.Instances[0].AuthType, s.Config.Instances[0].AuthPass = "PASS", "geheim12"
	j, err := JSON(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"data": Data(s), "json": j, "configuration": Configuration(s.Config), "parent": ParentData(s)} {
		if strings.Contains(string(b), "geheim12") {
			t.Errorf("%s has the password", name)
		}
	}
	if !strings.Contains(string(Data(s)), "Authentication type = SIMPLE_PASSWORD\n   Password = ********\n") {
		t.Error("data does not tell of the password")
	}
}

func TestWithoutConfiguration(t *testing.T) {
	s := sample()
	s.Config = nil
	if text := string(Data(s)); !strings.Contains(text, "10.9.9.9/24 dev v0 scope global set") {
		t.Errorf("%s", text)
	}
	if b, err := JSON(s); err != nil || !strings.Contains(string(b), `"vips":["10.9.9.9/24 dev v0 scope global set"]`) {
		t.Errorf("%s, %v", b, err)
	}
}

// keepalivedJSON is keepalived 2.2.7's own file for the sample, with the names
// of statistics that later versions added.
const keepalivedJSON = `[{"data":{"iname":"A","dont_track_primary":0,"skip_check_adv_addr":0,"strict_mode":0,"vmac_ifname":"","ifp_ifname":"v0",
"master_priority":0,"last_transition":1795414740.308298,"garp_delay":5,"garp_refresh":0,"garp_rep":5,"garp_refresh_rep":1,"garp_lower_prio_delay":5,
"garp_lower_prio_rep":5,"lower_prio_no_advert":0,"higher_prio_send_advert":0,"vrid":5,"base_priority":150,"effective_priority":150,"vipset":true,
"promote_secondaries":false,"adver_int":0.5,"master_adver_int":0.5,"accept":1,"nopreempt":true,"preempt_delay":0,"state":2,"wantstate":2,"version":3,
"smtp_alert":false,"notify_deleted":false,"script_master":"'\/etc\/notify.sh' 'x' 'y'","vips":["10.9.9.9\/24 dev v0 scope global label v0:1 set"],
"evips":["10.9.9.10 dev v0 scope global set"],"track_ifp":["v1"],"auth_type":0},
"stats":{"advert_rcvd":1,"advert_sent":18,"become_master":3,"release_master":4,"packet_len_err":5,"advert_interval_err":8,"ip_ttl_err":6,
"invalid_type_rcvd":7,"addr_list_err":9,"invalid_authtype":10,"authtype_mismatch":11,"auth_failure":12,"auth_ext_missing":0,"auth_ext_malformed":0,
"auth_ext_unknown_key":0,"auth_ext_invalid_hmac":0,"auth_ext_stale":0,"auth_ext_replay":0,"pri_zero_rcvd":21,"pri_zero_sent":22}}]`

func TestJSON(t *testing.T) {
	b, err := JSON(sample())
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(keepalivedJSON), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !strings.Contains(string(b), `"last_transition":1795414740.308298,`) {
		t.Errorf("the time is not exact in %s", b)
	}
}

func TestConfiguration(t *testing.T) {
	c := sample().Config
	c.Scripts = []*config.Script{{Name: "chk", Command: config.Command{Args: []string{"/bin/true"}}, Interval: 2 * time.Second, Rise: 2, Fall: 3}}
	c.VirtualServers = []*config.VirtualServer{{
		Name: "FWM 3", Scheduler: "rr", Protocol: "TCP", Forwarding: config.Forwarding{Method: "DR"}, Quorum: 1,
		RealServers: []*config.RealServer{{Addr: netip.MustParseAddr("192.0.2.21"), Port: 80, Weight: 1,
			Checks: []*config.Check{{Kind: "TCP_CHECK", Connect: config.Connect{Addr: netip.MustParseAddr("192.0.2.21"), Port: 80, Timeout: time.Second}}}}},
	}}
	text := string(Configuration(c))
	for _, want := range []string{"VRRP Script = chk", "Command = '/bin/true'", "VRRP Instance = A", "10.9.9.9/24 dev v0", "VRRP Sync Group = G", "Virtual server = FWM 3", "Real server = 192.0.2.21:80", "Check = TCP_CHECK"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "elsewhere")
	if err := os.WriteFile(target, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, StatsFile)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		if err := Write(filepath.Join(dir, StatsFile), 0o640, []byte(text)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(filepath.Join(dir, StatsFile))
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, StatsFile)); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Errorf("a link was followed: %q", b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
	if err := Write(filepath.Join(dir, "none", StatsFile), 0o600, nil); err == nil {
		t.Error("no error for a folder that is not there")
	}
	// A name that cannot be taken leaves no temporary file.
	if err := os.Mkdir(filepath.Join(dir, JSONFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, JSONFile), 0o600, nil); err == nil {
		t.Error("no error where a folder has the name")
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{dir: dir, "": "/tmp", "relative": "/tmp", file: "/tmp", filepath.Join(dir, "none"): "/tmp"} {
		if got := Folder(func(string) string { return value }); got != want {
			t.Errorf("TMPDIR=%q: %s, want %s", value, got, want)
		}
	}
}
