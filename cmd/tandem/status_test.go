package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with the file testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// aMoment is when the samples are looked at.
func aMoment() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) time.Time { return aMoment().Add(-d) }

func addrs(text ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range text {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func prefixes(text ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range text {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// healthy is a node that is as it should be.
func healthy() control.Status {
	return control.Status{
		Version: "1.2.3", PID: 4242, Started: ago(3*time.Hour + 12*time.Minute), RouterID: "lb1",
		ConfigFile: "/etc/keepalived/keepalived.conf", ConfigLoaded: ago(50 * time.Minute),
		Instances: []control.InstanceStatus{{
			Status: vrrp.Status{
				Name: "VI_1", State: vrrp.Master, Since: ago(3 * time.Hour), Priority: 150,
				Cause: vrrp.Cause{Kind: vrrp.CauseMasterDown, Detail: "no advert for 3.61 s, last from 192.0.2.2 priority 100"},
				Held:  addrs("192.0.2.10", "192.0.2.11"),
			},
			StateName: "MASTER", Interface: "eth0", VRID: 51, Version: 3, BasePriority: 150, Interval: time.Second,
			Addresses: prefixes("192.0.2.10/24", "192.0.2.11/32"), SyncGroup: "both",
		}, {
			Status: vrrp.Status{
				Name: "VI_internal", State: vrrp.Backup, Since: ago(4 * time.Second), Priority: 100,
				Cause:  vrrp.Cause{Kind: vrrp.CauseStart, Detail: ""},
				Master: netip.MustParseAddr("198.51.100.2"), MasterPriority: 120, LastAdvert: ago(300 * time.Millisecond),
			},
			StateName: "BACKUP", Interface: "eth1.100", VRID: 7, Version: 2, BasePriority: 100, Interval: time.Second,
			Addresses: prefixes("198.51.100.10/24"),
		}},
		Groups:  []control.GroupStatus{{Name: "both", State: vrrp.Master, Members: []string{"VI_1", "VI_internal"}}},
		Scripts: []control.ScriptStatus{{Name: "chk_haproxy", State: "up", Last: "exit status 0", Since: ago(3 * time.Hour)}},
		Services: []control.ServiceStatus{{
			Scheduler: "wlc", ServiceStatus: health.ServiceStatus{Name: "[192.0.2.10]:tcp:80", QuorumUp: true, Quorum: 1, LiveWeight: 3,
				Servers: []health.ServerStatus{{
					Addr: netip.MustParseAddr("192.0.2.21"), Port: 8080, Up: true, InPool: true, Weight: 1, Since: ago(3 * time.Hour),
					Checks: []health.CheckStatus{{Kind: "HTTP_GET", State: "up", Last: ago(2 * time.Second), Took: 1234 * time.Microsecond}},
				}, {
					Addr: netip.MustParseAddr("2001:db8::22"), Port: 8080, Up: true, InPool: true, Weight: 2, Since: ago(time.Minute + 5*time.Second),
				}}},
		}},
	}
}

func TestStatusHealthy(t *testing.T) {
	golden(t, "status-healthy.txt", statusText(healthy(), aMoment()))
}

func TestStatusTrouble(t *testing.T) {
	s := healthy()
	a, b := &s.Instances[0], &s.Instances[1]
	a.Offering, a.StateName, a.Forced, a.Priority, a.BasePriority = true, "MASTER (offering)", true, 254, 150
	for n := range 10 {
		a.Excluded = append(a.Excluded, netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", 100+n)))
	}
	b.State, b.StateName, b.Hold, b.Master, b.Priority = vrrp.Failed, "FAULT", true, netip.Addr{}, 80
	b.Faults = []string{"interface eth1.100 down", "script chk_haproxy failed"}
	b.Counters.SendErrors = 4
	b.DampedUntil, b.Ineligible = ago(-90*time.Second), "ping 192.0.2.254 does not answer (timed out)"
	s.Scripts[0].State, s.Scripts[0].Last = "down", "timed out after 2s"
	s.IPVS = "the kernel has no IPVS: modprobe ip_vs"
	s.LastReload = &control.ReloadResponse{Time: ago(5 * time.Minute), Diagnostics: []config.Diagnostic{
		{Severity: config.Warning, Message: "unknown keyword 'x'", Pos: config.Pos{File: "/etc/keepalived/keepalived.conf", Line: 2}},
		{Severity: config.Fatal, Message: "the VRID is missing", Pos: config.Pos{File: "/etc/keepalived/keepalived.conf", Line: 9}},
	}}
	s.Foreign = []control.DropCount{{Interface: "eth0", Reason: vrrp.DropUnknownVRID, Count: 12345}}
	v := &s.Services[0]
	v.QuorumUp, v.LiveWeight = false, 0
	v.Servers[0].Up, v.Servers[0].InPool, v.Servers[0].Since = false, false, ago(12*time.Second)
	v.Servers[0].Checks = []health.CheckStatus{
		{Kind: "TCP_CHECK", State: "up", Last: ago(time.Second), Took: time.Millisecond},
		{Kind: "HTTP_GET", State: "down", Err: "connection refused", Last: ago(3 * time.Second), Took: 2 * time.Second},
	}
	v.Servers[1].Up, v.Servers[1].InPool = false, false
	v.Servers = append(v.Servers, health.ServerStatus{Addr: netip.MustParseAddr("192.0.2.99"), Port: 80, Sorry: true, InPool: true, Weight: 1})
	s.Services = append(s.Services, control.ServiceStatus{ServiceStatus: health.ServiceStatus{Name: "FWM 3", QuorumUp: true}, Scheduler: "rr"})
	golden(t, "status-trouble.txt", statusText(s, aMoment()))
}

func TestStatusEmpty(t *testing.T) {
	s := healthy()
	s.Instances, s.Groups, s.Scripts, s.Services = nil, nil, nil, nil
	golden(t, "status-empty.txt", statusText(s, aMoment()))
}

func TestStatusWhileStarting(t *testing.T) {
	text := string(statusText(control.Status{Version: "1", PID: 7, Started: ago(time.Second), ConfigFile: "/x"}, aMoment()))
	if want := "tandem 1, process 7, up 1.0s, router -\nconfiguration /x, not yet in force: the agent is starting\n"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "help options", "help check", "help failover", "help run", "help events"} {
		p, stdout, _ := newProgram("tandem")
		if status := p.main(strings.Fields(args)); status != 0 {
			t.Errorf("%s: status %d", args, status)
		}
		golden(t, strings.ReplaceAll(args, " ", "-")+".txt", stdout.Bytes())
	}
}

// TestHelpOfEveryCommand makes sure that each has help, by all three ways to
// ask for it, and that no line of it is too long for a terminal.
func TestHelpOfEveryCommand(t *testing.T) {
	for _, c := range commandTable() {
		if c.short == "" || (c.setup == nil) == (c.raw == nil) {
			t.Errorf("%s is not complete", c.name)
		}
		p, want, _ := newProgram("tandem")
		if status := p.main([]string{"help", c.name}); status != 0 || !strings.HasPrefix(want.String(), "Usage: tandem "+c.name) {
			t.Errorf("help %s: %d %q", c.name, status, want)
		}
		for line := range strings.Lines(want.String()) {
			if len(line) > 101 {
				t.Errorf("help %s: too long: %q", c.name, line)
			}
		}
		if c.raw != nil {
			continue
		}
		for _, ask := range []string{"-h", "--help"} {
			p, stdout, _ := newProgram("tandem")
			if status := p.main([]string{c.name, ask}); status != 0 || stdout.String() != want.String() {
				t.Errorf("%s %s: %d %q", c.name, ask, status, stdout)
			}
		}
	}
}

func TestUnknownCommands(t *testing.T) {
	for _, tc := range []struct {
		args, stderr string
	}{
		{"statsu", "tandem: there is no command \"statsu\" (did you mean status?); see tandem help\n"},
		{"frobnicate", "tandem: there is no command \"frobnicate\"; see tandem help\n"},
		{"help chekc", "tandem help: there is no command \"chekc\" (did you mean check?)\n"},
		{"reload VI_1", "tandem reload: takes no argument, but there is \"VI_1\"\n"},
		{"status --sokcet x", "tandem status: there is no flag --sokcet (did you mean --socket?)\nUsage: tandem status [FLAG...] [INSTANCE|VIRTUAL_SERVER...]; see tandem help status\n"},
		{"events --level loud", "tandem events: invalid value \"loud\" for flag --level: \"loud\" is not one of debug, info, notice, warning, error\nUsage: tandem events [FLAG...]; see tandem help events\n"},
		{"status -o xml", "tandem status: invalid value \"xml\" for flag -o: it is text or json, not \"xml\"\nUsage: tandem status [FLAG...] [INSTANCE|VIRTUAL_SERVER...]; see tandem help status\n"},
		{"switchover --timeout 0s", "tandem switchover: --timeout 0s is not above 0 and at most 24h0m0s\n"},
		{"resume --force", "tandem resume: there is no flag --force\nUsage: tandem resume [FLAG...] [INSTANCE...]; see tandem help resume\n"},
	} {
		p, stdout, stderr := newProgram("tandem")
		if status := p.main(strings.Fields(tc.args)); status != exitFatal || stdout.Len() > 0 || stderr.String() != tc.stderr {
			t.Errorf("%s: %d %q %q", tc.args, status, stdout, stderr)
		}
	}
}

func TestKeepalivedNameHasNoCommands(t *testing.T) {
	p, _, stderr := newProgram("keepalived")
	// Not run: the option behind the word ends it first.
	if status := p.main([]string{"status", "-h"}); status != 0 || strings.Contains(stderr.String(), "COMMAND") {
		t.Errorf("%d %s", status, stderr)
	}
	p, _, stderr = newProgram("genhash")
	if status := p.main(nil); status != exitFatal || !strings.Contains(stderr.String(), "genhash") {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestInterspersed(t *testing.T) {
	for _, tc := range []struct{ args, words string }{
		{"a b", "a b"}, {"a -o json b", "a b"}, {"-o json a", "a"}, {"a -- -o", "a -o"}, {"-- -o json", "-o json"}, {"", ""},
	} {
		f := flag.NewFlagSet("x", flag.ContinueOnError)
		addFormat(f)
		words, err := interspersed(f, strings.Fields(tc.args))
		if err != nil || strings.Join(words, " ") != tc.words {
			t.Errorf("%q: %q, %v", tc.args, words, err)
		}
	}
}
