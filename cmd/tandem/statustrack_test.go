package main

import (
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
)

// TestStatusOfWhatIsTracked shows what is tracked, each with what it does to the
// instance, and names what is not as it should be.
func TestStatusOfWhatIsTracked(t *testing.T) {
	s := healthy()
	s.Services = nil
	s.Instances = s.Instances[:1]
	s.Instances[0].Priority = 137
	s.Instances[0].Tracks = []control.TrackStatus{
		{Kind: "script", Name: "app", State: "up", Weight: 10, Adds: 10},
		{Kind: "interface", Name: "eth1", State: "up"},
		{Kind: "file", Name: "load", State: "-3", Weight: 1, Adds: -3},
		{Kind: "process", Name: "proxy", State: "down", Weight: -20, Adds: -20},
		{Kind: "bfd", Name: "gateway", State: "down", Fault: "BFD instance gateway down"},
	}
	s.Files = []control.FileStatus{
		{Name: "load", Path: "/run/load", Value: -3, Since: ago(20 * time.Second)},
		{Name: "secret", Path: "/run/secret", Since: ago(time.Hour), Err: "open /run/secret: permission denied"},
	}
	s.Processes = []control.ProcessStatus{{Name: "proxy", State: "down", Count: 1, Since: ago(5 * time.Second)}, {Name: "dns", State: "up", Count: 4, Since: ago(time.Hour)}}
	s.BFD = []control.BFDStatus{
		{Name: "gateway", Neighbour: addrs("192.0.2.254")[0], State: "Down", Remote: "Down", Diag: "Control Detection Time Expired", Since: ago(2 * time.Second)},
		{Name: "peer", Neighbour: addrs("2001:db8::2")[0], State: "Up", Remote: "Up", Diag: "No Diagnostic", Since: ago(time.Hour), Detection: 300 * time.Millisecond},
	}
	golden(t, "status-tracking.txt", statusText(s, aMoment()))
}
