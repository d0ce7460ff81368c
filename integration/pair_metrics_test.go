//go:build kernel

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// promtool runs Prometheus' own tool with something to read, which must be
// content.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	c := exec.Command("promtool", args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestExampleAlerts has promtool judge the alert rules, and fire each of them.
func TestExampleAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "../examples/prometheus-rules.yml")
	promtool(t, "", "test", "rules", "../examples/prometheus-rules-test.yml")
}

// scrape gets a node's metrics: from its listener on the address, or over its
// control socket where that is empty.
func scrape(a *lab.Agent, listener string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	network, address := "tcp", listener
	if listener == "" {
		network, address = "unix", a.Socket()
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		var c net.Conn
		err := a.Host.In(func() (err error) {
			c, err = net.DialTimeout(network, address, 5*time.Second)
			return err
		})
		return c, err
	}}
	defer transport.CloseIdleConnections()
	client.Transport = transport
	answer, err := client.Get("http://tandem/metrics")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, b)
	}
	return string(b), err
}

// value is that of one series in a page of metrics, as it is written there.
func value(page, series string) (float64, error) {
	for line := range strings.Lines(page) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", series)
}

// shows waits until a node's metrics have the values.
func shows(t *testing.T, a *lab.Agent, listener string, want map[string]float64) {
	t.Helper()
	eventually(t, 2*slack, fmt.Sprintf("metrics of %s", a.Host.Name), func() error {
		page, err := scrape(a, listener)
		if err != nil {
			return err
		}
		for series, v := range want {
			if got, err := value(page, series); err != nil || got != v {
				return fmt.Errorf("%s is %v, want %v (%v)", series, got, v, err)
			}
		}
		return nil
	})
}

// monitored is the configuration of a node with a tracking script, a virtual server
// and a listener for metrics.
func monitored(m mode, self, other *lab.Host, priority int, listener string) string {
	return "vrrp_script chk {\n  script /bin/true\n  interval 1\n}\n" +
		"@tandem tandem {\n@tandem   metrics {\n@tandem     listen " + listener + "\n@tandem   }\n@tandem }\n" +
		"virtual_server 192.0.2.100 80 {\n  lb_algo rr\n  lb_kind NAT\n  delay_loop 1\n  protocol TCP\n" +
		"  real_server 127.0.0.1 9 {\n    TCP_CHECK {\n      connect_timeout 1\n    }\n  }\n}\n" +
		m.conf(self, other, priority, "track_script {", "  chk", "}")
}

// TestPairMetrics scrapes a pair over its listeners and its control sockets: the
// values are those of the pair, before a switchover and after it, Prometheus has
// nothing to say against them, and every name that the dashboard and the rules
// use is there.
func TestPairMetrics(t *testing.T) {
	t.Parallel()
	p := newPair(t, mode{version: 3, advert: 200 * time.Millisecond}, "tandem", "tandem")
	const listener = "127.0.0.1:9165"
	must(t, p.lb1.Write(monitored(p.mode, p.lb1.Host, p.lb2.Host, 150, listener)))
	must(t, p.lb2.Write(monitored(p.mode, p.lb2.Host, p.lb1.Host, 100, listener)))
	p.lead()
	state := func(name string) string {
		return fmt.Sprintf("tandem_instance_state{instance=\"VI_1\",state=%q}", name)
	}
	exporter := `keepalived_vrrp_state{iname="VI_1",intf="` + lab.NIC + `",ip_address="192.0.2.100/24",vrid="51"}`
	master := map[string]float64{state("MASTER"): 1, state("BACKUP"): 0, exporter: 2, "keepalived_up": 1,
		`keepalived_script_status{name="chk"}`: 1, `tandem_instance_addresses{instance="VI_1"}`: 1}
	backup := map[string]float64{state("MASTER"): 0, state("BACKUP"): 1, exporter: 1, `tandem_instance_addresses{instance="VI_1"}`: 0}
	for _, from := range []string{listener, ""} {
		shows(t, p.lb1, from, master)
		shows(t, p.lb2, from, backup)
	}
	var heardBy string
	eventually(t, slack, "adverts heard by the backup", func() (err error) {
		if heardBy, err = scrape(p.lb2, listener); err != nil {
			return err
		}
		heard, err := value(heardBy, `tandem_advert_jitter_seconds_count{instance="VI_1"}`)
		if err != nil || heard < 3 {
			return fmt.Errorf("%v: %v", heard, err)
		}
		if margin, err := value(heardBy, `tandem_instance_down_margin_seconds{instance="VI_1"}`); err != nil || margin <= 0 || margin > 1 {
			t.Fatalf("the backup heard %v adverts and had a margin of %v: %v", heard, margin, err)
		}
		return nil
	})

	if _, err := p.lb1.Ask("switchover", "--yes"); err != nil {
		t.Fatal(err)
	}
	p.holds(p.lb2, slack)
	shows(t, p.lb2, listener, map[string]float64{state("MASTER"): 1, `tandem_transitions_total{instance="VI_1",to="MASTER"}`: 1})
	shows(t, p.lb1, "", map[string]float64{state("BACKUP"): 1, exporter: 1, `tandem_instance_override{instance="VI_1",override="held"}`: 1})
	must(t, os.WriteFile(p.lb1.Conf(), []byte("vrrp_instance VI_1 {\n}\n"), 0o644))
	if _, err := p.lb1.Ask("reload"); err == nil {
		t.Error("a configuration that cannot run is taken")
	}
	shows(t, p.lb1, listener, map[string]float64{`tandem_reloads_total{result="failure"}`: 1, "tandem_config_last_reload_successful": 0})

	var page string
	eventually(t, slack, "a health check's metrics", func() (err error) {
		if page, err = scrape(p.lb1, listener); err == nil && !strings.Contains(page, "\ntandem_checks_total{") {
			err = errors.New("none was made yet")
		}
		return err
	})
	var own strings.Builder
	for line := range strings.Lines(page) {
		// keepalived's exporter has given its names, which Prometheus would not.
		if strings.Contains(line, "tandem_") {
			own.WriteString(line)
		}
	}
	promtool(t, own.String(), "check", "metrics")
	// Only a backup hears a master's adverts.
	named(t, page+heardBy)
}

// named asserts that a scrape has every metric that the dashboard and the rules
// use. What the kernel counts needs IPVS.
func named(t *testing.T, page string) {
	t.Helper()
	name := regexp.MustCompile(`\btandem_[a-z_]+\b`)
	total := 0
	for _, path := range []string{"../examples/grafana-dashboard.json", "../examples/prometheus-rules.yml"} {
		b, err := os.ReadFile(path)
		must(t, err)
		for _, n := range slices.Compact(slices.Sorted(slices.Values(name.FindAllString(string(b), -1)))) {
			total++
			if counted := strings.HasPrefix(n, "tandem_ipvs_") && strings.HasSuffix(n, "_connections") ||
				strings.HasPrefix(n, "tandem_ipvs_") && strings.HasSuffix(n, "_total") && n != "tandem_ipvs_repairs_total"; counted {
				continue
			}
			switch n {
			// These are there while there is something to tell.
			case "tandem_alarm", "tandem_adverts_dropped_total", "tandem_foreign_adverts_total":
				continue
			}
			if !slices.ContainsFunc([]string{"\n" + n + " ", "\n" + n + "{", "\n# TYPE " + n + " "}, func(s string) bool { return strings.Contains(page, s) }) {
				t.Errorf("%s uses %s, which no node has", path, n)
			}
		}
	}
	if total < 40 {
		t.Errorf("%d names read", total)
	}
}

// TestExampleDashboard has the dashboard in the form that Grafana reads: panels
// with queries, each of the data source that is chosen.
func TestExampleDashboard(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../examples/grafana-dashboard.json")
	must(t, err)
	type source struct{ Type, UID string }
	var d struct {
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Type, Query any }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Datasource  source
			Targets     []struct {
				Expr       string
				Datasource source
			}
		}
	}
	must(t, json.Unmarshal(b, &d))
	if d.SchemaVersion < 36 || len(d.Templating.List) == 0 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("schema %d, first variable %+v", d.SchemaVersion, d.Templating.List)
	}
	seen := map[int]bool{}
	queries := 0
	for _, p := range d.Panels {
		if seen[p.ID] || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d, %s: %+v", p.ID, p.Title, p.GridPos)
		}
		seen[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s asks %+v of %+v", p.Title, p.Targets, p.Datasource)
		}
		for _, q := range p.Targets {
			queries++
			// Prometheus parses a query once the variables stand for something.
			expr := strings.NewReplacer("$__rate_interval", "1m", "$job", ".+", "$instance", ".+", "$vrrp", ".*", "$virtual_server", ".*").Replace(q.Expr)
			rules, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "g", "rules": []any{map[string]any{"record": "a:b", "expr": expr}}}}})
			must(t, err)
			path := t.TempDir() + "/rule.yml"
			must(t, os.WriteFile(path, rules, 0o644))
			promtool(t, "", "check", "rules", path)
		}
	}
	if queries < 30 {
		t.Errorf("%d queries", queries)
	}
}
