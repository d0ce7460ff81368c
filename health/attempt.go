package health

import (
	"context"
	"time"
)

// attempt is a StartCheck that waits or runs.
type attempt struct {
	key   key
	order StartCheck
	// cancelled is set once its result is of no use; launched once it runs.
	cancelled, launched bool
	// limited ends by the check's own limit at the latest, or by cancel. An
	// attempt of the poller has neither: it keeps the time itself.
	limited context.Context
	cancel  context.CancelFunc
	connection
}

// finished is an attempt that has ended, not yet told to its machine.
type finished struct {
	attempt *attempt
	result  Result
}

// run makes the attempt, in a goroutine of its own.
func (a *attempt) run(done func(*attempt, Result)) {
	start := time.Now()
	var r Result
	if s, ok := a.order.Run.(Stepper); ok {
		r = s.RunStep(a.limited, a.order.Step)
	} else {
		r = a.order.Run.Run(a.limited)
	}
	if r.Took == 0 {
		r.Took = time.Since(start)
	}
	done(a, r)
}

// longestAttempt bounds an attempt of a check that names no bound of its own.
const longestAttempt = 5 * time.Minute

// attemptLimit is the most that an attempt of the check may last. A check says
// so with a method Limit.
func attemptLimit(c Check) time.Duration {
	if l, ok := c.(interface{ Limit() time.Duration }); ok {
		return l.Limit()
	}
	return longestAttempt
}
