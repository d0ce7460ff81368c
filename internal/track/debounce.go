package track

import "time"

// Debounce delays what is seen until it has lasted. It is pure.
type Debounce struct {
	// Rise is how long up has to last before it counts, Fall how long down has.
	Rise, Fall time.Duration

	known, up bool
	// due is when what differs from up counts, zero where nothing differs.
	due time.Time
}

// Up is what counts now.
func (d *Debounce) Up() bool { return d.up }

// Known is whether anything was seen.
func (d *Debounce) Known() bool { return d.known }

// Deadline is when Step is wanted though nothing new is seen, zero for never.
func (d *Debounce) Deadline() time.Time { return d.due }

// Step takes what is seen and returns whether Up changed. What is seen first
// counts at once; a change back before its delay has passed is none.
func (d *Debounce) Step(now time.Time, seen bool) bool {
	if !d.known {
		d.known, d.up = true, seen
		return true
	}
	if seen == d.up {
		d.due = time.Time{}
		return false
	}
	if d.due.IsZero() {
		delay := d.Fall
		if seen {
			delay = d.Rise
		}
		d.due = now.Add(delay)
	}
	if now.Before(d.due) {
		return false
	}
	d.due, d.up = time.Time{}, seen
	return true
}
