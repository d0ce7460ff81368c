package control

import "time"

// Timekeeping is how late the loop that elects was with its timers, since the
// agent started. A host that keeps it from running for longer than a backup
// allows loses its mastership for nothing, or takes another's.
type Timekeeping struct {
	// Timers is how many there were, and Buckets how many of them were at most so
	// late; those that were later than all buckets are in Timers only.
	Timers  uint64           `json:"timers"`
	Buckets []LatenessBucket `json:"buckets"`
	// Total is the sum of all lateness.
	Total time.Duration `json:"total"`
	// Worst is the greatest lateness, and WorstAt when that was.
	Worst   time.Duration `json:"worst"`
	WorstAt time.Time     `json:"worst_at,omitzero"`
	// Limit is the lateness that is told of: a tenth of the shortest advert
	// interval. Late is how many timers were later, Last the lateness of the last
	// of them, and LastAt when that was.
	Limit  time.Duration `json:"limit"`
	Late   uint64        `json:"late"`
	Last   time.Duration `json:"last"`
	LastAt time.Time     `json:"last_at,omitzero"`
}

// LatenessBucket counts the timers that were later than the bucket before, and at
// most Within late.
type LatenessBucket struct {
	Within time.Duration `json:"within"`
	Count  uint64        `json:"count"`
}
