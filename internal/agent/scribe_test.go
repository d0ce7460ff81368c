package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ha/tandem/internal/host"
)

// What an order leaves for the next start is written once the order is answered; a
// disk that is stuck holds the answer up no longer than the limit.
func TestScribeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record, err := host.OpenRecord(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := newScribe(record, func(err error) { t.Error(err) })
		stop := alone(s.run)
		saved := false
		s.write(func() {
			time.Sleep(time.Second)
			saved = true
		})
		s.written(2 * time.Second)
		if !saved {
			t.Error("not written yet")
		}
		s.write(func() { time.Sleep(time.Minute) })
		began := time.Now()
		s.written(2 * time.Second)
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("waited for %v", waited)
		}
		stop()
		if err := record.Close(); err != nil {
			t.Error(err)
		}
	})
}
