package control

import "time"

// Jitter is how far the adverts of the master were from their interval, heard by
// a backup: a host or a network that delays some of them is one that will lose
// some. An advert that was lost counts with the whole interval.
type Jitter struct {
	// Adverts is how many were measured, and Buckets how many of them were at most
	// so far off; those that were farther are in Adverts only.
	Adverts uint64           `json:"adverts"`
	Buckets []LatenessBucket `json:"buckets"`
	// Total is the sum of all deviations.
	Total time.Duration `json:"total"`
}
