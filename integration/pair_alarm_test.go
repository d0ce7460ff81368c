//go:build kernel

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// alarms waits until a tandem's alarms are these, by kind, and each is in its
// text status with advice.
func alarms(t *testing.T, a *lab.Agent, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, 2*slack, fmt.Sprintf("alarms %v", want), func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		var got []string
		for _, x := range s.Alarms {
			if x.Text == "" || x.Advice == "" {
				t.Errorf("an alarm without words: %+v", x)
			}
			// That the machine was busy is true, and not what is asked.
			if x.Kind != "late-wake-ups" {
				got = append(got, x.Kind)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("they are %v", got)
		}
		return nil
	})
}

// TestPairAlarms configures a keepalived, which is master, otherwise than the
// tandem that hears it: the tandem says what differs.
func TestPairAlarms(t *testing.T) {
	t.Parallel()
	v3 := mode{version: 3, advert: 500 * time.Millisecond}
	v2 := mode{version: 2, advert: time.Second}
	slow := mode{version: 3, advert: 2 * time.Second}
	for _, c := range []struct {
		name     string
		mode     mode
		old, new string
		want     string
	}{
		{"list", v3, "192.0.2.100/24", "192.0.2.100/24\n    192.0.2.177/24", "address-lists-differ"},
		{"vrid", v3, "192.0.2.100/24", "192.0.2.177/24", "duplicate-vrid"},
		{"interval", v3, "advert_int 0.5", "advert_int 0.6", "interval-differs"},
		{"priority", v3, "priority 150", "priority 100", "equal-priority"},
		{"password", v2, "auth_pass secret12", "auth_pass another1", "authentication-differs"},
		// A keepalived master falls silent while packets of another version come
		// faster than its own would go.
		{"version", slow, "vrrp_version 3", "vrrp_version 2", "version-differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c.mode, "keepalived", "tandem")
			conf := p.lb1.Conf()
			text := c.mode.conf(p.lb1.Host, p.lb2.Host, 150)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s does not have %q", conf, c.old)
			}
			text = strings.Replace(text, c.old, c.new, 1)
			if c.name == "version" {
				text = strings.Replace(text, "advert_int 2", "advert_int 1", 1)
			}
			must(t, p.lb1.Write(text))
			start(t, p.lb1)
			source := p.from(p.lb1)
			if _, err := p.lab.Capture.WaitAdvert(within(t, 2*slack), 1, func(a lab.Advert) bool { return a.Source == source }); err != nil {
				t.Fatal(err)
			}
			start(t, p.lb2)
			alarmsInclude(t, p.lb2, c.want)
			out, err := p.lb2.Ask("status")
			must(t, err)
			if !strings.Contains(out, "ATTENTION") {
				t.Errorf("the status draws no attention to it:\n%s", out)
			}
		})
	}
}

// alarmsInclude waits until these alarms are among a tandem's.
func alarmsInclude(t *testing.T, a *lab.Agent, want ...string) {
	t.Helper()
	eventually(t, 2*slack, fmt.Sprintf("alarms %v", want), func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		for _, w := range want {
			if !slices.ContainsFunc(s.Alarms, func(x alarmStatus) bool { return x.Kind == w }) {
				return fmt.Errorf("%s is not among %+v", w, s.Alarms)
			}
		}
		return nil
	})
}

// TestPairSplitBrain stops the master's adverts on their way in to the backup: both
// are master, and the better one says so, and that it is not heard. A healthy
// pair, before and after, has no alarm.
func TestPairSplitBrain(t *testing.T) {
	t.Parallel()
	p := newPair(t, mode{version: 3, advert: 500 * time.Millisecond}, "tandem", "keepalived")
	p.lead()
	p.steady(p.lb1)
	alarms(t, p.lb1)
	must(t, p.lb2.Host.Input("table ip deaf { chain in { type filter hook input priority -300; ip protocol 112 drop; }; }", "nft", "-f", "-"))
	alarms(t, p.lb1, "split-brain", "asymmetric-hearing")
	if _, err := p.lb2.Host.Run("nft", "delete", "table", "ip", "deaf"); err != nil {
		t.Fatal(err)
	}
	alarms(t, p.lb1)
	out, err := p.lb1.Ask("events")
	must(t, err)
	for _, want := range []string{"is master as well", "does not hear our adverts", "no longer"} {
		if !strings.Contains(out, want) {
			t.Errorf("the events do not tell %q:\n%s", want, out)
		}
	}
}
