package wording

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/vrrp"
)

// TestAttention: each thing that can be wrong or ordered is one line that names it,
// and what ends it where that is a command.
func TestAttention(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.1:80")
	by := desired.Override{Since: moment().Add(-time.Minute), By: "alice", Reason: "upgrade"}
	instance := func(s vrrp.Status) control.Status {
		s.Name = "VI_1"
		return control.Status{Instances: []control.InstanceStatus{{Status: s, BasePriority: 100}}}
	}
	server := func(o desired.ServerOverride, left *control.Connections, pauses ...desired.CheckPause) control.ServerOverrides {
		o.Server = at
		return control.ServerOverrides{ServerOverride: o, Connections: left, Checks: pauses}
	}
	service := func(o control.ServerOverrides) control.Status {
		return control.Status{Services: []control.ServiceStatus{{
			ServiceStatus: health.ServiceStatus{Name: "web", QuorumUp: true}, Overrides: []control.ServerOverrides{o}}}}
	}
	for _, c := range []struct {
		name string
		s    control.Status
		want string
	}{
		{"offering", instance(vrrp.Status{Offering: true}), "VI_1: offered: this node serves until a peer has taken over"},
		{"forced", instance(vrrp.Status{Forced: true, Priority: 254}), "VI_1: forced by an operator: it advertises 254 instead of 100; tandem resume VI_1 ends it"},
		{"damped", instance(vrrp.Status{DampedUntil: moment().Add(42 * time.Second)}),
			"VI_1: damped for another 42s: it lost mastership too often and leaves it to its peers; tandem resume VI_1 ends it"},
		{"condition", instance(vrrp.Status{Ineligible: "192.0.2.254 does not answer (timeout)"}), "VI_1: may not take over: 192.0.2.254 does not answer (timeout)"},
		{"fault", instance(vrrp.Status{Faults: []string{"interface eth0 down"}}), "VI_1: fault: interface eth0 down"},
		{"adverts not sent", control.Status{Instances: []control.InstanceStatus{{Status: vrrp.Status{Name: "VI_1"}, Counters: control.Counters{SendErrors: 3}}}},
			"VI_1: 3 adverts could not be sent"},
		{"alarm", control.Status{Alarms: []alarm.Alarm{{Instance: "VI_1", Text: "another master", Advice: "look at the network", Since: moment().Add(-5 * time.Second)}}},
			"VI_1: another master, for 5.0s: look at the network"},
		{"drained", service(server(desired.ServerOverride{Drain: &by}, &control.Connections{Active: 3, Inactive: 4})),
			"10.0.0.1:80 of web: drained 1m00s ago by alice (upgrade): 3 connections left, 4 closing; tandem undrain 10.0.0.1:80 ends it"},
		{"weight", service(server(desired.ServerOverride{Weight: &desired.WeightOverride{Override: by, Weight: 5}}, nil)),
			"10.0.0.1:80 of web: weight 5 1m00s ago by alice (upgrade); tandem weight 10.0.0.1:80 reset ends it"},
		{"paused", service(server(desired.ServerOverride{}, nil, desired.CheckPause{Override: by, Kind: "HTTP_GET", Failed: true})),
			"10.0.0.1:80 of web: HTTP_GET paused 1m00s ago by alice (upgrade), counts as failed; tandem unpause 10.0.0.1:80 ends it"},
		{"an order for a server that the file no longer has", control.Status{Dormant: []control.ServerOverrides{server(desired.ServerOverride{Service: "old", Drain: &by}, nil)}},
			"10.0.0.1:80 of old (not configured): drained 1m00s ago by alice (upgrade); tandem undrain 10.0.0.1:80 ends it"},
		{"no quorum", control.Status{Services: []control.ServiceStatus{{ServiceStatus: health.ServiceStatus{Name: "web", LiveWeight: 1, Quorum: 3}}}},
			"virtual server web: no quorum: live weight 1 of 3"},
		{"refused reload", control.Status{LastReload: &control.ReloadResponse{Time: moment().Add(-time.Hour), Diagnostics: []config.Diagnostic{
			{Severity: config.Warning, Message: "unknown"}, {Severity: config.Fatal, Message: "no interface", Pos: config.Pos{File: "/k.conf", Line: 7}}}}},
			"the reload 1h00m ago changed nothing: (/k.conf: Line 7) no interface"},
		{"IPVS", control.Status{IPVS: "the kernel has none"}, "IPVS: the kernel has none"},
	} {
		if d := cmp.Diff([]string{c.want}, Attention(c.s, moment())); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
