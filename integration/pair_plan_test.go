//go:build kernel

package integration

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// planned asks for a plan and returns its ID and its text; the status is to be
// that of a plan which changes something.
func planned(t *testing.T, a *lab.Agent) (id, text string) {
	t.Helper()
	text, err := a.Ask("plan")
	wantStatus(t, err, 2)
	out, err := a.Ask("plan", "-o", "json")
	wantStatus(t, err, 2)
	var p struct {
		Plan struct {
			ID string `json:"id"`
		} `json:"plan"`
	}
	must(t, json.Unmarshal([]byte(out), &p))
	if p.Plan.ID == "" {
		t.Fatalf("a plan without an ID:\n%s", out)
	}
	return p.Plan.ID, text
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var refused *lab.AskError
	if !errors.As(err, &refused) || refused.Status != status {
		t.Fatalf("%v, want exit status %d", err, status)
	}
}

// TestPairPlan shows what a reload would do before it does it, to a master that
// a keepalived backs up; and a reload by a plan's ID does that or nothing.
func TestPairPlan(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	p.lead()
	began := time.Now()
	if out, err := p.lb1.Ask("plan"); err != nil || !strings.Contains(out, "would change nothing") {
		t.Fatalf("a file that has not changed: %v\n%s", err, out)
	}
	text := m.conf(p.lb1.Host, p.lb2.Host, 150)
	edited := strings.Replace(text, "192.0.2.100/24", "192.0.2.100/24\n    192.0.2.150/24", 1)
	must(t, p.lb1.Write(edited))
	id, shown := planned(t, p.lb1)
	for _, want := range []string{"~ instance VI_1", "+ add 192.0.2.150/24 on eth0", "reload --plan " + id} {
		if !strings.Contains(shown, want) {
			t.Errorf("the plan does not say %q:\n%s", want, shown)
		}
	}
	// What was shown is no longer what the file says.
	must(t, p.lb1.Write(strings.Replace(edited, "192.0.2.150", "192.0.2.151", 1)))
	_, err := p.lb1.Ask("reload", "--plan", id)
	wantStatus(t, err, 1)
	// Nor can what cannot run be planned.
	must(t, p.lb1.Write(strings.Replace(text, "virtual_router_id 51", "virtual_router_id", 1)))
	_, err = p.lb1.Ask("plan")
	wantStatus(t, err, 1)
	for _, e := range p.lb1.Host.Addresses.Events(began) {
		t.Errorf("plans, and a reload that was refused, changed the host: %+v", e)
	}
	must(t, p.lb1.Write(edited))
	if again, _ := planned(t, p.lb1); again != id {
		t.Errorf("the same file has plan %s, and had %s", again, id)
	}
	if _, err := p.lb1.Ask("reload", "--plan", id); err != nil {
		t.Fatal(err)
	}
	events := p.lb1.Host.Addresses.Events(began)
	eventually(t, slack, "the address of the plan", func() error {
		if events = p.lb1.Host.Addresses.Events(began); len(events) == 0 {
			return errors.New("nothing came")
		}
		return nil
	})
	if len(events) != 1 || !events[0].Present || events[0].Addr.String() != "192.0.2.150" {
		t.Errorf("the reload did otherwise than its plan: %+v", events)
	}
}
