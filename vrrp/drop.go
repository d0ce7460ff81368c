package vrrp

import (
	"fmt"
	"time"
)

// DropError is Parse's error: the packet is not to be used. It is put into words
// when somebody asks, since most packets of a flood are only counted.
type DropError struct {
	Reason Reason

	format  string
	numbers [4]uint64
	n       int
}

// What is said of a packet at more than one place.
const (
	versionDetail      = "version %d, ours is %d"
	authTypeDetail     = "authentication type %d, must be 0, 1 or 2"
	authMismatchDetail = "authentication type %d, ours is %d"
	passwordDetail     = "the password is not ours"
	intervalDetail     = "advert interval %d cs, ours is %d cs"
	unsignedDetail     = "not signed"
)

// Error gives the reason and its numbers.
func (e *DropError) Error() string { return string(e.Reason) + ": " + e.Detail() }

// Detail gives the numbers, for people.
func (e *DropError) Detail() string {
	if e.n == 0 {
		return e.format
	}
	var args [len(e.numbers)]any
	for i := range e.n {
		args[i] = e.numbers[i]
	}
	return fmt.Sprintf(e.format, args[:e.n]...)
}

// set describes a fault; without numbers the format is the whole of it.
func (e *DropError) set(r Reason, format string, numbers ...uint64) *DropError {
	e.Reason, e.format, e.n = r, format, copy(e.numbers[:], numbers)
	return e
}

// drop describes a fault of the packet in the place that there is for it.
func (m Meta) drop(r Reason, format string, numbers ...uint64) error {
	if m.Fault == nil {
		m.Fault = new(DropError)
	}
	return m.Fault.set(r, format, numbers...)
}

// centiseconds is an interval as packets carry it.
func centiseconds(d time.Duration) uint64 { return uint64(d / (10 * time.Millisecond)) }
