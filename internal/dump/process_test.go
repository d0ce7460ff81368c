package dump

import (
	"testing"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// TestJSONProcess has tracked processes under their names, as keepalived 2.3.4,
// with the delay that runs while the quorum is not what the count makes it.
func TestJSONProcess(t *testing.T) {
	conf := &config.TrackProcess{Name: "P", Process: "foo", Params: []string{"a", "b"}, Match: "initial", Quorum: 2, QuorumMax: 4}
	for _, c := range []struct {
		count                int
		state                string
		forking, terminating bool
	}{
		{0, "unknown", false, false},
		{1, "down", false, false},
		{2, "down", true, false},
		{3, "up", false, false},
		{1, "up", false, true},
		{5, "up", true, false},
		{5, "down", false, false},
		{4, "down", true, false},
	} {
		s := control.Status{
			Config:    &config.Config{TrackProcesses: []*config.TrackProcess{conf}},
			Processes: []control.ProcessStatus{{Name: "P", State: c.state, Count: c.count}},
		}
		p := processesOf(s)[0]
		if p.Process != "P" || p.Parameters != "a b" || p.ParamMatch != "initial" || p.Max == nil || *p.Max != 4 {
			t.Errorf("%+v", p)
		}
		if p.Forking != c.forking || p.Terminating != c.terminating {
			t.Errorf("%d processes, %s: fork delay runs %t, terminate delay %t", c.count, c.state, p.Forking, p.Terminating)
		}
	}
}
