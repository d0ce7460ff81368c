package vrrp

import "time"

// This file paces what a master sends: when its own adverts are due, and how often
// it answers those of others.

// aligned is the last moment up to t that adverts may be due at (see Align).
func (r *Router) aligned(t time.Time) time.Time {
	if r.anchor.IsZero() {
		return t
	}
	past := t.Sub(r.anchor) % r.cfg.AdvertInterval
	if past < 0 {
		past += r.cfg.AdvertInterval
	}
	return t.Add(-past)
}

// answerPart is the part of an advert interval within which a master's adverts
// out of turn answer everybody: whoever sends its own after that has not heard
// ours, or does not care. So a flood of worse adverts, or of ones of priority 0,
// is answered ten times an interval and not with a flood.
const answerPart = 10

// answers is whether a master is to answer an advert at once. It counts the
// answer as given.
func (r *Router) answers() bool {
	if !r.answeredAt.IsZero() && r.now.Sub(r.answeredAt) < r.cfg.AdvertInterval/answerPart {
		return false
	}
	r.answeredAt = r.now
	return true
}
