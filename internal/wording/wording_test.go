package wording

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/vrrp"
)

func moment() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 340 * time.Millisecond: "0.3s", 12 * time.Second: "12s", 65 * time.Second: "1m05s",
		3*time.Hour + 2*time.Minute: "3h02m", 50 * time.Hour: "2d02h",
	} {
		if got := Age(moment(), moment().Add(-d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if got := Age(moment(), time.Time{}); got != "-" {
		t.Error(got)
	}
}

// TestOrdersAreToldWithTheirEnd: whatever an operator has ordered is told with who
// ordered it and the command that ends it.
func TestOrdersAreToldWithTheirEnd(t *testing.T) {
	at, err := control.ParseServer("10.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	by := desired.Override{Since: moment().Add(-time.Minute), By: "alice"}
	server := control.ServerOverrides{ServerOverride: desired.ServerOverride{Server: at, Drain: &by}}
	v := control.ServiceStatus{ServiceStatus: health.ServiceStatus{Name: "web", QuorumUp: true}, Overrides: []control.ServerOverrides{server}}
	s := control.Status{
		Maintenance: &by, Services: []control.ServiceStatus{v},
		Instances: []control.InstanceStatus{{Status: vrrp.Status{Name: "VI_1", Hold: true}}, {Status: vrrp.Status{Name: "VI_2", Forced: true}}},
	}
	got := strings.Join(Attention(s, moment()), "\n")
	for _, want := range []string{
		"maintenance 1m00s ago by alice", "tandem maintenance off ends it", "10.0.0.1:80 of web: drained 1m00s ago by alice", "tandem undrain 10.0.0.1:80 ends it",
		"tandem resume VI_1 ends it", "tandem resume VI_2 ends it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := Weight(v, health.ServerStatus{Addr: at.Addr(), Port: at.Port(), Weight: 3}); got != "0 (not 3)" {
		t.Errorf("the weight of a drained server is %q", got)
	}
	if got := Attention(control.Status{}, moment()); len(got) != 0 {
		t.Errorf("nothing is wrong, and %q asks for attention", got)
	}
}
