//go:build kernel

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// change is one class of changes to a configuration that a running instance
// outlives, with keepalived and with tandem.
type change struct {
	what string
	edit func(conf string) string
}

// into puts lines into the first instance.
func into(lines string) func(string) string {
	return func(conf string) string {
		return strings.Replace(conf, "  virtual_ipaddress {", "  "+lines+"\n  virtual_ipaddress {", 1)
	}
}

// before puts blocks before the first instance.
func before(blocks string) func(string) string {
	return func(conf string) string {
		return strings.Replace(conf, "vrrp_instance VI_1 {", blocks+"\nvrrp_instance VI_1 {", 1)
	}
}

// global puts lines into global_defs.
func global(lines string) func(string) string {
	return func(conf string) string {
		return strings.Replace(conf, "global_defs {", "global_defs {\n  "+lines, 1)
	}
}

func replace(pairs ...string) func(string) string {
	return strings.NewReplacer(pairs...).Replace
}

// changes are the classes; each reload goes from one to the next. The node's
// priority is 150 or 100, and stays on its side of the other's.
func changes(dir string) []change {
	other := "vrrp_instance VI_9 {\n  interface eth0\n  virtual_router_id 99\n  priority 77\n  virtual_ipaddress {\n    10.9.9.9/32\n  }\n}\n"
	return []change{
		{"another name", replace("VI_1", "VI_ONE")},
		{"a better priority", replace("priority 150", "priority 170", "priority 100", "priority 110")},
		{"a worse priority", replace("priority 150", "priority 130", "priority 100", "priority 90")},
		{"a slower interval", replace("advert_int 0.2", "advert_int 0.35")},
		{"an address more", replace("virtual_ipaddress {", "virtual_ipaddress {\n    10.9.8.1/32")},
		{"an excluded address", into("virtual_ipaddress_excluded {\n    10.9.8.3/32\n  }")},
		{"no preemption", into("nopreempt")},
		{"another address more", replace("virtual_ipaddress {", "virtual_ipaddress {\n    10.9.8.2/32")},
		{"a delayed preemption", into("preempt_delay 5")},
		{"a patient down timer", into("down_timer_adverts 4")},
		{"more announcements", into("garp_master_repeat 2\n  garp_master_delay 1\n  garp_master_refresh 2")},
		{"manners towards others", into("lower_prio_no_advert true\n  higher_prio_send_advert true")},
		{"notifications", into("notify \"/bin/true any\"\n  notify_master /bin/true\n  notify_priority_changes true")},
		{"a tracked interface", into("track_interface {\n    lo weight 5\n  }")},
		{"a tracking script", func(conf string) string {
			return into("track_script {\n    good\n  }")(before("vrrp_script good {\n  script /bin/true\n  interval 1\n}")(conf))
		}},
		{"a group of one", before("vrrp_sync_group ONE {\n  group {\n    VI_1\n  }\n}")},
		{"another instance", before(other)},
		{"a group of two", before(other + "vrrp_sync_group TWO {\n  group {\n    VI_1\n    VI_8\n  }\n}\nvrrp_instance VI_8 {\n  interface eth0\n  virtual_router_id 98\n  priority 77\n  virtual_ipaddress {\n    10.9.9.8/32\n  }\n}\n")},
		{"a group the less", before(other)},
		{"a FIFO and e-mail", func(conf string) string {
			return global("notify_fifo " + dir + "/fifo\n  smtp_server 127.0.0.1 2525\n  notification_email {\n    a@example.com\n  }\n  smtp_alert")(conf)
		}},
		{"other defaults", global("vrrp_garp_master_repeat 3\n  vrrp_skip_check_adv_addr true\n  vrrp_startup_delay 3")},
		{"scheduling", global("vrrp_priority -3\n  vrrp_no_swap\n  umask 022")},
		{"what was", func(conf string) string { return conf }},
	}
}

// TestPairReloadChanges reloads a master, and a backup, with one class of changes
// after the other. Nothing moves, nobody else adverts, no packet is lost, and the
// state and the counters stay. In the group of two the other member is new: it is
// not master yet, which must not pull this one down. The nodes run in real time, or it
// would be the other pairs that adverts wait for.
func TestPairReloadChanges(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"master", "backup"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			m := mode{version: 3, advert: 200 * time.Millisecond, realTime: 10}
			subject, first, second := 150, "tandem", "keepalived"
			if role == "backup" {
				subject, first, second = 100, "keepalived", "tandem"
			}
			p := newPair(t, m, first, second)
			node, peer := p.lb1, p.lb2
			if role == "backup" {
				node, peer = p.lb2, p.lb1
			}
			conf := m.conf(node.Host, peer.Host, subject)
			// keepalived 2.2.7 does not use an advert whose addresses are not its own.
			must(t, peer.Write(into("skip_check_adv_addr")(m.conf(peer.Host, node.Host, 250-subject))))
			p.lead()
			probe := p.probe()
			if err := probe.Wait(within(t, slack), p.lb1.Host.Name, 100); err != nil {
				t.Fatal(err)
			}
			began, last := time.Now(), time.Time{}
			since := began
			for _, c := range changes(node.Dir) {
				must(t, node.Write(c.edit(conf)))
				must(t, node.Signal(syscall.SIGHUP))
				r := reloaded(t, node, last)
				last = r.Time
				if !r.OK || !r.Changed {
					t.Errorf("%s: %+v", c.what, r)
				}
				p.steadyReload(c.what)
				p.sleptSince(since)
				since = time.Now()
			}
			p.unmoved(began)
			name := "VI_1"
			if s := instance(t, node, name); s.StateName != strings.ToUpper(role) || role == "master" && s.Counters.BecameMaster != 1 || role == "backup" && s.Counters.BecameMaster != 0 && !p.slept {
				t.Errorf("after the reloads it is %s, %d times master", s.StateName, s.Counters.BecameMaster)
			}
			r, err := probe.Stop()
			must(t, err)
			t.Logf("LOSS %d reloads of a %s: %v", len(changes("")), role, r)
			if r.Lost > 0 && !p.slept {
				t.Errorf("packets lost: %v", r)
			}
		})
	}
}

// steadyReload waits for three adverts of the master for the first instance, and
// lets nobody else advert for it.
func (p *pair) steadyReload(what string) {
	p.t.Helper()
	began, source := time.Now(), p.from(p.lb1)
	mine := func(a lab.Advert) bool { return a.VRID == 51 && a.Source == source }
	if _, err := p.lab.Capture.WaitAdvert(within(p.t, slack), 3, mine); err != nil {
		p.t.Fatalf("%s: adverts of the master: %v", what, err)
	}
	kept := program(p.t, "keepalived")
	last := began
	for _, a := range p.lab.Capture.Adverts(began.Add(-p.mode.masterDown(1))) {
		gap := a.At.Sub(last)
		switch {
		case a.VRID != 51:
		case a.At.Before(began):
			if mine(a) {
				last = a.At
			}
		case mine(a):
			switch {
			case gap <= silence:
			case p.lb1.Program == kept:
				p.slept = true
				p.t.Logf("%s: keepalived was silent for %v", what, gap)
			default:
				p.t.Errorf("%s: the master was silent for %v", what, gap)
			}
			if a.Priority == 0 {
				p.t.Errorf("%s: priority 0 was sent", what)
			}
			last = a.At
		case p.lb1.Program == kept && gap > silence:
			p.slept = true
			p.t.Logf("%s: relieved a keepalived that was silent for %v", what, gap)
		case p.lb2.Program == kept:
			// On a busy machine it sleeps for longer than its own timer, and finds
			// that one run out before it reads the adverts that have come.
			p.slept = true
			p.t.Logf("%s: keepalived took over in spite of adverts in time", what)
		default:
			p.t.Errorf("%s: %s (priority %d) adverts beside the master", what, a.Source, a.Priority)
		}
	}
}

// sleptSince notes where a keepalived that is master was silent for so long since a
// moment, the reload itself included, that the other node took over by right.
func (p *pair) sleptSince(since time.Time) {
	p.t.Helper()
	if p.lb1.Program != program(p.t, "keepalived") {
		return
	}
	source, last := p.from(p.lb1), time.Time{}
	for _, a := range p.lab.Capture.Adverts(since.Add(-p.mode.masterDown(1))) {
		if a.VRID != 51 || a.Source != source {
			continue
		}
		if gap := a.At.Sub(last); !last.IsZero() && gap > silence {
			p.slept = true
			p.t.Logf("keepalived was silent for %v", gap)
		}
		last = a.At
	}
}

// silence is how long a master may be silent: less than the master down
// interval of its peer, 0.6 s and the skew.
const silence = 600 * time.Millisecond

// unmoved asserts that since a moment no address has left the master.
func (p *pair) unmoved(since time.Time) {
	p.t.Helper()
	for _, e := range p.lb1.Host.Addresses.Events(since) {
		if slices.Contains(p.vips(), e.Addr) {
			p.t.Errorf("on %s %+v", p.lb1.Host.Name, e)
		}
	}
}

// TestPairReloadRefused holds what tandem refuses to change against what
// keepalived refuses: both go on as they were, and tandem says why where it was
// asked.
func TestPairReloadRefused(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	p.lead()
	conf := m.conf(p.lb1.Host, p.lb2.Host, 150)
	began := time.Now()
	for what, edit := range map[string]func(string) string{
		"net_namespace":        func(s string) string { return "net_namespace elsewhere\n" + s },
		"instance":             func(s string) string { return "instance another\n" + s },
		"tmp_config_directory": global("tmp_config_directory " + p.lb1.Dir),
		"disable_local_igmp":   global("disable_local_igmp"),
	} {
		for _, n := range []*lab.Agent{p.lb1, p.lb2} {
			// The address more shows whether the rest was taken.
			text := conf
			if n == p.lb2 {
				text = m.conf(p.lb2.Host, p.lb1.Host, 100)
			}
			must(t, n.Write(replace("virtual_ipaddress {", "virtual_ipaddress {\n    10.9.8.1/32")(edit(text))))
		}
		_, err := p.lb1.Ask("reload")
		if refused := (*lab.AskError)(nil); !errors.As(err, &refused) || refused.Status != 1 || !strings.Contains(refused.Text, "Cannot change "+what+" at a reload") {
			t.Errorf("%s: tandem reload: %v", what, err)
		}
		from := len(p.lb2.Log())
		must(t, p.lb2.Signal(syscall.SIGHUP))
		eventually(t, slack, "keepalived refuses "+what, func() error {
			if log := p.lb2.Log()[from:]; !strings.Contains(log, "Cannot change "+what) && !strings.Contains(log, "please restart") {
				return errors.New(tail(log, 5))
			}
			return nil
		})
		says(t, p.lb1, "Cannot change "+what+" at a reload")
	}
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		if events := n.Host.Addresses.Events(began); len(events) > 0 {
			t.Errorf("on %s %+v", n.Host.Name, events)
		}
	}
	if s := instance(t, p.lb1, "VI_1"); s.StateName != "MASTER" || s.Counters.BecameMaster != 1 {
		t.Errorf("%s, %d times master", s.StateName, s.Counters.BecameMaster)
	}
}

// TestPairReloadByClock reloads at the time that a file names, with the file that
// says that the configuration is being read.
func TestPairReloadByClock(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "tandem")
	when, reading := filepath.Join(p.lb1.Dir, "when"), filepath.Join(p.lb1.Dir, "reading")
	conf := global("reload_time_file " + when + "\n  reload_file " + reading)(m.conf(p.lb1.Host, p.lb2.Host, 150))
	must(t, p.lb1.Write(conf))
	p.lead()
	must(t, p.lb1.Write(replace("virtual_ipaddress {", "virtual_ipaddress {\n    10.9.8.1/32")(conf)))
	must(t, os.WriteFile(reading, []byte("by the test"), 0o644))
	// Read too late, it would be the time of tomorrow.
	must(t, os.WriteFile(when, []byte(time.Now().Add(8*time.Second).UTC().Format("15:04:05Z")+"\n"), 0o644))
	r := reloaded(t, p.lb1, time.Time{})
	if !r.OK || !r.Changed {
		t.Errorf("%+v", r)
	}
	for _, file := range []string{when, reading} {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", filepath.Base(file), err)
		}
	}
	says(t, p.lb1, "a reload is due at")
}
