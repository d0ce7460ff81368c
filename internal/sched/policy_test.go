package sched

import (
	"reflect"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
)

func TestPolicyOfThreeProcessesInOne(t *testing.T) {
	vrrp := config.Scheduling{Nice: -5, RealTime: 3, RealTimeLimit: 10 * time.Millisecond, CPUs: []int{1}}
	checker := config.Scheduling{Nice: 7, RealTime: 9, RealTimeLimit: time.Second, NoSwap: true, CPUs: []int{3, 1}}
	process := config.Process{VRRP: vrrp, Checker: checker, BFD: config.Scheduling{RealTime: 50}}
	instances, services := []*config.Instance{{}}, []*config.VirtualServer{{}}
	nice := func(n int) *int { return &n }
	for name, tc := range map[string]struct {
		cfg  config.Config
		want Policy
	}{
		"nothing is configured": {config.Config{Process: process}, Policy{}},
		"VRRP alone": {config.Config{Process: process, Instances: instances},
			Policy{Nice: nice(-5), RealTime: 3, RealTimeLimit: 10 * time.Millisecond, CPUs: []int{1}}},
		"checks alone": {config.Config{Process: process, VirtualServers: services},
			Policy{Nice: nice(7), RealTime: 9, RealTimeLimit: time.Second, NoSwap: true, CPUs: []int{1, 3}}},
		"both: the more urgent": {config.Config{Process: process, Instances: instances, VirtualServers: services},
			Policy{Nice: nice(-5), RealTime: 9, RealTimeLimit: time.Second, NoSwap: true, CPUs: []int{1, 3}}},
		"checks that are to be nice do not slow adverts down": {
			config.Config{Process: config.Process{Checker: config.Scheduling{Nice: 7}}, Instances: instances, VirtualServers: services},
			Policy{}},
		"a limit without real time is none": {
			config.Config{Process: config.Process{VRRP: config.Scheduling{RealTimeLimit: time.Second}}, Instances: instances}, Policy{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(&tc.cfg); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestNameOfThreeProcessesInOne(t *testing.T) {
	instances, services := []*config.Instance{{}}, []*config.VirtualServer{{}}
	named := func(s string) config.Scheduling { return config.Scheduling{Name: s} }
	for want, cfg := range map[string]config.Config{
		"":                {Instances: instances},
		"main":            {Instances: instances, Process: config.Process{Name: "main", NameAll: true, VRRP: named("v")}},
		"v":               {Instances: instances, VirtualServers: services, Process: config.Process{VRRP: named("v"), Checker: named("c")}},
		"c":               {VirtualServers: services, Process: config.Process{VRRP: named("v"), Checker: named("c"), NameAll: true}},
		"keepalived_vrrp": {Instances: instances, VirtualServers: services, Process: config.Process{NameAll: true}},
		"keepalived_lvs":  {VirtualServers: services, Process: config.Process{NameAll: true}},
		"keepalived_bfd":  {BFD: []*config.BFDSession{{}}, Process: config.Process{NameAll: true}},
	} {
		if got := Name(&cfg); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMappingsOfTheProgram(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-004f1000 r-xp 00000000 fd:01 1234                       /usr/bin/tandem": true,
		"004f1000-005f1000 r--p 000f1000 fd:01 1234                       /usr/bin/other":  false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":                                      false,
		"nonsense": false,
	} {
		from, to, ok := mapping(line, "/usr/bin/tandem")
		if ok != want || ok && (from != 0x400000 || to != 0x4f1000) {
			t.Errorf("%s: %x %x %v", line, from, to, ok)
		}
	}
}
