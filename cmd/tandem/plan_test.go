package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/internal/control"
)

func TestPlan(t *testing.T) {
	r := startFake(t, "")
	status, stdout, stderr := r.main("plan")
	if status != exitChanges || stderr.Len() > 0 {
		t.Fatalf("status %d, %s", status, stderr)
	}
	golden(t, "plan.txt", stdout.Bytes())
	status, stdout, _ = r.main("plan", "-o", "json")
	var answer control.PlanResponse
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || status != exitChanges || answer.Plan == nil || answer.Plan.ID != "0123456789ab" {
		t.Errorf("status %d, %v, %s", status, err, stdout)
	}
	golden(t, "plan-colours.txt", planText(*answer.Plan, true))

	// A reload does what was shown or nothing.
	status, _, stderr = r.main("reload", "--plan", "ba9876543210")
	if status != exitCommandFailed || !strings.Contains(stderr.String(), "nothing was changed") {
		t.Errorf("another plan: status %d, %s", status, stderr)
	}
	if status, _, stderr = r.main("reload", "--plan", "0123456789ab"); status != exitOK {
		t.Errorf("status %d, %s", status, stderr)
	}
	status, stdout, _ = r.main("plan")
	if status != exitOK || !strings.Contains(stdout.String(), "would change nothing") {
		t.Errorf("nothing to change: status %d, %s", status, stdout)
	}
}

func TestPlanRefused(t *testing.T) {
	r := startFake(t, "")
	if err := os.WriteFile(filepath.Join(r.dir, "keepalived.conf"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := r.main("plan")
	if status != exitCommandFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "would be refused: it is bad") {
		t.Errorf("status %d, %s, %s", status, stdout, stderr)
	}
}
