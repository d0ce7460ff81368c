package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
	"github.com/tandem-ha/tandem/vrrp"
)

var update = flag.Bool("update", false, "write the golden file anew")

// sample is a source with one of everything.
type sample struct {
	usageErr error
	twice    bool
}

func (s sample) Status() control.Status {
	at := time.Unix(1795414740, 250e6)
	web := netip.MustParseAddr("10.0.0.1")
	i := control.InstanceStatus{
		Status: vrrp.Status{Name: "VI_1", State: vrrp.Master, Since: at, Priority: 150, Hold: true,
			Held: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, Faults: []string{"x"}},
		Interface: "eth0", VRID: 51, Version: 3, BasePriority: 140, Interval: time.Second, SyncGroup: "G", DownMargin: 2500 * time.Millisecond,
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32"), netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8::/32")},
		Jitter:    &control.Jitter{Adverts: 10, Total: 30 * time.Millisecond, Buckets: []control.LatenessBucket{{Within: time.Millisecond, Count: 6}, {Within: 5 * time.Millisecond, Count: 3}}},
		Counters: control.Counters{AdvertsReceived: 1, AdvertsSent: 2, BecameMaster: 3, ReleasedMaster: 4, PriorityZeroSent: 5, PriorityZeroRcvd: 6,
			SendErrors: 7, Dropped: map[vrrp.Reason]uint64{vrrp.DropTTL: 8, vrrp.DropUnicastTTL: 9}},
	}
	st := control.Status{
		Version: "1.2.3", Started: at, ConfigLoaded: at, LastReload: &control.ReloadResponse{}, StampErrors: 11,
		Timekeeping: &control.Timekeeping{Timers: 1000, Late: 13, Worst: 35 * time.Millisecond, Total: 2 * time.Second,
			Buckets: []control.LatenessBucket{{Within: time.Millisecond, Count: 900}, {Within: 10 * time.Millisecond, Count: 87}}},
		Instances: []control.InstanceStatus{i},
		Scripts:   []control.ScriptStatus{{Name: "chk", State: "down"}, {Name: "new", State: "unknown"}},
		Foreign:   []control.DropCount{{Interface: "eth0", Reason: vrrp.DropUnknownVRID, Count: 12}},
		Alarms:    []alarm.Alarm{{Kind: alarm.SplitBrain, Instance: "VI_1", Peer: netip.MustParseAddr("192.0.2.2")}},
		Services: []control.ServiceStatus{{
			Key: ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80},
			ServiceStatus: health.ServiceStatus{Name: "[192.0.2.10]:tcp:80", QuorumUp: true, LiveWeight: 5, Servers: []health.ServerStatus{
				{Addr: web, Port: 8080, Up: true, InPool: true, Weight: 5, Checks: []health.CheckStatus{{Failures: 1}, {Failures: 3}}},
				{Addr: web, Port: 80, Sorry: true},
			}},
		}},
		Config: &config.Config{Instances: []*config.Instance{{Name: "VI_1", GARP: config.GARP{Delay: 5 * time.Second},
			Addresses: []config.Address{{Prefix: netip.MustParsePrefix("192.0.2.11/24"), Interface: "eth1"}}}}},
	}
	if s.twice {
		st.Services = append(st.Services, st.Services...)
		st.Instances = append(st.Instances, st.Instances...)
	}
	return st
}

func (s sample) Usage(context.Context) ([]ipvs.ServiceUsage, error) {
	key := ipvs.ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 80}
	destination := ipvs.DestinationUsage{
		Destination: ipvs.Destination{DestinationKey: ipvs.DestinationKey{Addr: netip.MustParseAddr("10.0.0.1"), Port: 8080}},
		Stats: ipvs.DestinationStats{Active: 21, Inactive: 22,
			Stats: ipvs.Stats{Connections: 23, InPackets: 24, OutPackets: 25, InBytes: 26, OutBytes: 27}},
	}
	foreign := ipvs.ServiceKey{FWMark: 7}
	return []ipvs.ServiceUsage{
		{Service: ipvs.Service{ServiceKey: key}, Destinations: []ipvs.DestinationUsage{destination}},
		{Service: ipvs.Service{ServiceKey: foreign}, Destinations: []ipvs.DestinationUsage{destination}},
	}, s.usageErr
}

// page is what a scrape returns, apart from what the Go runtime and the kernel
// say of the process.
func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var b bytes.Buffer
	for line := range strings.Lines(w.Body.String()) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); strings.HasPrefix(name, "tandem_") || strings.HasPrefix(name, "keepalived_") {
			b.WriteString(strings.ReplaceAll(line, runtime.Version(), "GO"))
		}
	}
	return b.String()
}

func TestPage(t *testing.T) {
	m := New(sample{})
	m.Sink(journal.Event{Kind: "state", Data: journal.StateChange{Kind: journal.Instance, Name: "VI_1", To: journal.Master}})
	m.Sink(journal.Event{Kind: "group-state", Data: journal.StateChange{Kind: journal.Group, Name: "G", To: journal.Master}})
	m.Sink(journal.Event{Kind: "reload", Level: journal.Error})
	m.Sink(journal.Event{Kind: "reload", Level: journal.Notice})
	m.Sink(journal.Event{Kind: "ipvs-repaired"})
	m.Checked("[192.0.2.10]:tcp:80", "TCP_CHECK", 3*time.Millisecond, true)
	m.Checked("[192.0.2.10]:tcp:80", "TCP_CHECK", 3*time.Second, false)
	got := page(t, m)
	path := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the page (-want +got):\n%s", d)
	}
}

// TestNames holds every metric against Prometheus' rules, and what is told of a
// family against what is collected.
func TestNames(t *testing.T) {
	m := New(sample{})
	pedantic := prometheus.NewPedanticRegistry()
	pedantic.MustRegister(m)
	problems, err := testutil.GatherAndLint(pedantic)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		// The exporter's names are given.
		if strings.HasPrefix(p.Metric, "tandem_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestScrapeSurvives keeps the page there where the kernel does not answer, and
// where a configuration has a thing twice.
func TestScrapeSurvives(t *testing.T) {
	if got := page(t, New(sample{usageErr: errors.New("no answer")})); !strings.Contains(got, "tandem_ipvs_error 1\n") {
		t.Error("the page does not tell that IPVS cannot be asked")
	}
	if got := page(t, New(sample{twice: true})); !strings.Contains(got, `tandem_instance_priority{instance="VI_1"} 150`) {
		t.Error("what is there twice is not shown once")
	}
}
