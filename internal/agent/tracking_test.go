package agent

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/track"
	"github.com/tandem-ha/tandem/vrrp"
)

// keepalived 2.2.7 tells of no other priority while a file's number is a fault.
func TestAFileInFaultCountsAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &segment{}, "192.0.2.1")
		in := conf("VI_1", 150)
		in.TrackFiles = []config.Track{{Name: "load", Weight: 1}}
		read := func(value int64) {
			n.do(func(now time.Time) { n.elector.fileRead(now, track.FileResult{Name: "load", Value: value}) })
		}
		read(5)
		n.apply(in)
		time.Sleep(settled)
		expect(t, n, vrrp.Master)
		for _, value := range []int64{-254, -300} {
			read(value)
			expect(t, n, vrrp.Failed)
			if p := n.state().Priority; p != 155 {
				t.Errorf("with %d in the file the priority is %d, want 155 as before", value, p)
			}
		}
		read(20)
		time.Sleep(settled)
		expect(t, n, vrrp.Master)
		var told []int
		for _, e := range n.journal.Events(0) {
			if c, ok := e.Data.(journal.PriorityChange); ok {
				told = append(told, c.To)
			}
		}
		if want := []int{155, 170}; !slices.Equal(told, want) {
			t.Errorf("told of the priorities %v, want %v", told, want)
		}
	})
}
