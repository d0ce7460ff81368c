package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// TestExamples has every name that the dashboard and the rules use among the
// metrics, those of IPVS included.
func TestExamples(t *testing.T) {
	m := New(sample{})
	m.Sink(journal.Event{Kind: "state", Data: journal.StateChange{Kind: journal.Instance, Name: "VI_1", To: journal.Master}})
	m.Checked("[192.0.2.10]:tcp:80", "TCP_CHECK", time.Millisecond, true)
	got := page(t, m)
	for _, file := range []string{"grafana-dashboard.json", "prometheus-rules.yml", "prometheus-rules-test.yml"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\btandem_[a-z_]+\b`).FindAllString(string(b), -1)
		if len(names) < 10 {
			t.Errorf("%s: %d names read", file, len(names))
		}
		for _, n := range names {
			if !strings.Contains(got, "\n"+n+" ") && !strings.Contains(got, "\n"+n+"{") && !strings.Contains(got, "\n# TYPE "+n+" ") {
				t.Errorf("%s uses %s, which is no metric", file, n)
			}
		}
	}
}
