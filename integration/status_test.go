//go:build kernel

package integration

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// nodeStatus is what tandem status -o json says, as far as these tests read it. It
// is written down here once more on purpose: programs depend on these names.
type nodeStatus struct {
	Instances  []instanceStatus `json:"instances"`
	LastReload *reloadStatus    `json:"last_reload"`
	Foreign    []struct {
		Reason string `json:"reason"`
		Count  uint64 `json:"count"`
	} `json:"foreign"`
	Scripts []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"scripts"`
	Services []serviceStatus `json:"virtual_servers"`
	Alarms   []alarmStatus   `json:"alarms"`
	// IPVS is what keeps the kernel's table from being kept.
	IPVS string `json:"ipvs_error"`
}

type alarmStatus struct {
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Advice string `json:"advice"`
}

type instanceStatus struct {
	Name        string       `json:"name"`
	StateName   string       `json:"state_name"`
	Priority    int          `json:"priority"`
	Faults      []string     `json:"faults"`
	Ineligible  string       `json:"ineligible"`
	DampedUntil time.Time    `json:"damped_until"`
	Peers       []netip.Addr `json:"peers"`
	Cause       struct {
		Kind   string `json:"kind"`
		Detail string `json:"detail"`
	} `json:"cause"`
	Counters struct {
		BecameMaster uint64            `json:"became_master"`
		Dropped      map[string]uint64 `json:"dropped"`
	} `json:"counters"`
}

type reloadStatus struct {
	Time    time.Time `json:"time"`
	OK      bool      `json:"ok"`
	Changed bool      `json:"changed"`
	Err     string    `json:"error"`
}

type serviceStatus struct {
	Name     string `json:"name"`
	QuorumUp bool   `json:"quorum_up"`
	Servers  []struct {
		Addr   string `json:"addr"`
		Port   int    `json:"port"`
		Up     bool   `json:"up"`
		InPool bool   `json:"in_pool"`
		Sorry  bool   `json:"sorry"`
	} `json:"servers"`
}

// tryStatus asks a tandem for its state.
func tryStatus(a *lab.Agent) (nodeStatus, error) {
	var s nodeStatus
	out, err := a.Ask("status", "-o", "json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// status asks a tandem that must answer.
func status(t testing.TB, a *lab.Agent) nodeStatus {
	t.Helper()
	s, err := tryStatus(a)
	must(t, err)
	return s
}

// instance is the state of the instance named, which must be there.
func instance(t testing.TB, a *lab.Agent, name string) instanceStatus {
	t.Helper()
	for _, i := range status(t, a).Instances {
		if i.Name == name {
			return i
		}
	}
	t.Fatalf("tandem on %s shows no instance %s", a.Host.Name, name)
	return instanceStatus{}
}

// isIn waits until an instance shows the state.
func isIn(t testing.TB, a *lab.Agent, name, state string, limit time.Duration) {
	t.Helper()
	eventually(t, limit, name+" on "+a.Host.Name+" is "+state, func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		err = errors.New("there is no such instance")
		for _, i := range s.Instances {
			if i.Name == name && i.StateName == state {
				return nil
			} else if i.Name == name {
				err = errors.New("it is " + i.StateName)
			}
		}
		return err
	})
}

// dropped is how often a node has dropped a packet for the reason, whether for
// an instance or for none.
func dropped(t testing.TB, a *lab.Agent, reason string) uint64 {
	t.Helper()
	s, n := status(t, a), uint64(0)
	for _, i := range s.Instances {
		n += i.Counters.Dropped[reason]
	}
	for _, f := range s.Foreign {
		if f.Reason == reason {
			n += f.Count
		}
	}
	return n
}

// reloaded waits for a reload later than the one before.
func reloaded(t testing.TB, a *lab.Agent, after time.Time) reloadStatus {
	t.Helper()
	var last reloadStatus
	eventually(t, slack, "reload", func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		if s.LastReload == nil || !s.LastReload.Time.After(after) {
			return errors.New("no reload yet")
		}
		last = *s.LastReload
		return nil
	})
	return last
}
