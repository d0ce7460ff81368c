package sim

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
)

var seedFlag = flag.Int64("seed", -1, "run this seed alone, with its trace")

// report runs a failing scenario down and tells of it.
func report(t *testing.T, s Scenario, o Options) {
	t.Helper()
	small := Shrink(s, o)
	o.Trace = true
	r, err := Run(small, o)
	if err != nil || len(r.Violations) == 0 {
		t.Fatalf("seed %d: the shrunk scenario does not fail again: %v", s.Seed, err)
	}
	t.Fatalf("seed %d: %v\nthe least that shows it:\n%s%s", s.Seed, r.Violations[0], small, strings.Join(r.Trace[max(0, len(r.Trace)-60):], "\n"))
}

// TestSimulation runs scenarios until the machines have made a million steps.
func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		s := Random(uint64(*seedFlag))
		r, _ := Run(s, Options{Trace: true})
		t.Logf("%s%s\n%v", s, strings.Join(r.Trace, "\n"), r.Violations)
		return
	}
	steps, seeds := 0, 0
	for seed := uint64(0); steps < million(); seed++ {
		s := Random(seed)
		r, err := Run(s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Violations) > 0 {
			report(t, s, Options{})
		}
		steps += r.Steps
		seeds++
	}
	t.Logf("%d scenarios, %d steps", seeds, steps)
}

// million is how many steps are made: TANDEM_STEPS asks for more, or fewer.
func million() int {
	if n, err := strconv.Atoi(os.Getenv("TANDEM_STEPS")); err == nil {
		return n
	}
	return 1_000_000
}
