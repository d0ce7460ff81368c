// Package reach asks targets, gateways or peers, again and again whether they
// answer, for routers that may take over only while they do. What the answers mean
// is decided by vrrp.Condition.
package reach

import (
	"context"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/vrrp"
)

// Target is one that is asked.
type Target struct {
	// Name is the target's for people: "ping 192.0.2.254".
	Name  string
	Check health.Check
}

// Spec says whom to ask, how often, and what counts.
type Spec struct {
	Targets []Target
	// All wants an answer of every target; else one is enough.
	All bool
	// Interval is from the start of one attempt to that of the next.
	Interval time.Duration
	// Rise and Fall are how many attempts alike in sequence change what counts.
	Rise, Fall int
}

// Watch asks until ctx is done. report is told what the answers come to: once they
// decide it, each time that it changes, and each time that it is found to be met again;
// never by two goroutines at once.
func Watch(ctx context.Context, s Spec, report func(vrrp.Eligibility)) {
	var names []string
	for _, t := range s.Targets {
		names = append(names, t.Name)
	}
	of := vrrp.AnyOf
	if s.All {
		of = vrrp.AllOf
	}
	condition := of(s.Rise, s.Fall, names...)
	var asking sync.WaitGroup
	var one sync.Mutex
	for _, t := range s.Targets {
		asking.Go(func() {
			ask(ctx, t.Check, s.Interval, func(asked time.Time, wrong string) {
				one.Lock()
				defer one.Unlock()
				if condition.Answer(t.Name, wrong) {
					e, _ := condition.State()
					e.Asked = asked
					report(e)
				}
			})
		})
	}
	asking.Wait()
}

// ask makes one attempt after the other, the next one at once where an attempt took
// longer than the interval.
func ask(ctx context.Context, check health.Check, interval time.Duration, answer func(asked time.Time, wrong string)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		asked := time.Now()
		r := check.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		wrong := ""
		if r.Err != nil {
			wrong = r.Err.Error()
		}
		answer(asked, wrong)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
