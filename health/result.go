package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// wireResult is how a Result stands in a recorded run.
type wireResult struct {
	Err          string        `json:"error,omitempty"`
	NotAttempted bool          `json:"not_attempted,omitempty"`
	Weight       int           `json:"weight,omitempty"`
	Dynamic      bool          `json:"dynamic,omitempty"`
	Delta        int           `json:"delta,omitempty"`
	Transcript   string        `json:"transcript,omitempty"`
	Took         time.Duration `json:"took,omitempty"`
}

// MarshalJSON writes the result with its error's text.
func (r Result) MarshalJSON() ([]byte, error) {
	w := wireResult{
		Weight: r.Weight, Dynamic: r.Dynamic, Delta: r.Delta, Transcript: r.Transcript, Took: r.Took,
		NotAttempted: errors.Is(r.Err, ErrNotAttempted),
	}
	if r.Err != nil {
		w.Err = r.Err.Error()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote. Of the error its text is left, and
// whether it wraps ErrNotAttempted.
func (r *Result) UnmarshalJSON(b []byte) error {
	var w wireResult
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("result of a check: %w", err)
	}
	*r = Result{Weight: w.Weight, Dynamic: w.Dynamic, Delta: w.Delta, Transcript: w.Transcript, Took: w.Took}
	switch {
	case w.NotAttempted:
		r.Err = notAttempted(w.Err)
	case w.Err != "":
		r.Err = errors.New(w.Err)
	}
	return nil
}

// notAttempted is an error read back that wrapped ErrNotAttempted.
type notAttempted string

func (e notAttempted) Error() string { return string(e) }
func (e notAttempted) Unwrap() error { return ErrNotAttempted }
