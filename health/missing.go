package health

import (
	"context"
	"fmt"
)

// NewMissing returns a MISC_CHECK whose script is not there: it never has a result,
// and what waits for its success waits for ever.
func NewMissing(script string) Check { return missingCheck(script) }

// missingCheck is the path of the script.
type missingCheck string

// Run makes no attempt.
func (m missingCheck) Run(context.Context) Result {
	return Result{Err: fmt.Errorf("script %s is not there: %w", string(m), ErrNotAttempted)}
}

// Follow has nothing to follow.
func (m missingCheck) Follow(func()) (stop func()) { return func() {} }

// Traits says that the check is not asked in turn.
func (m missingCheck) Traits() Traits { return Traits{Follows: true} }

// Target is the path of the script.
func (m missingCheck) Target() string { return string(m) }

// String names the check for logs.
func (m missingCheck) String() string { return "MISC_CHECK " + m.Target() }
