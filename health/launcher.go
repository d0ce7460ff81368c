package health

import (
	"context"
	"time"
)

// A launcher runs attempts: in a goroutine for each, or in something cheaper.
type launcher interface {
	// launch begins an attempt of one step and returns at once. ctx ends by the
	// check's own limit at the latest. done is called once, perhaps before launch
	// returns, soon after ctx is done at the latest; by then nothing of the
	// attempt is left.
	launch(ctx context.Context, c Check, step int, done func(Result))
	// close gives back what the launcher holds once no attempt is left.
	close()
}

// goroutines launches every attempt in a goroutine of its own.
type goroutines struct{}

func (goroutines) launch(ctx context.Context, c Check, step int, done func(Result)) {
	go func() {
		start := time.Now()
		var r Result
		if s, ok := c.(Stepper); ok {
			r = s.RunStep(ctx, step)
		} else {
			r = c.Run(ctx)
		}
		if r.Took == 0 {
			r.Took = time.Since(start)
		}
		done(r)
	}()
}

func (goroutines) close() {}

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
