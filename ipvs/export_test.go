package ipvs

import "time"

// WithClock makes f count what reading the kernel's table costs.
func WithClock(f func() time.Duration) Option {
	return func(o *options) { o.clock = f }
}
