package health

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Follower is a Check that asks nobody: it follows something that another part
// observes, and is told when that changes. Its Run returns at once.
type Follower interface {
	Check
	// Follow has changed called, from any goroutine, after each change until
	// stop is called; a call that is under way then may still come.
	Follow(changed func()) (stop func())
}

// Source is a value that one part sets and checks follow: the number in a
// tracked file, or the state of a BFD session. Its methods are safe for use by
// several goroutines. One Source serves any number of checks and outlives
// reloads.
type Source struct {
	name string

	mu        sync.Mutex
	known     bool
	value     int64
	followers map[*func()]struct{}
}

// NewSource returns a source of which nothing is known. The name is that of the
// configuration.
func NewSource(name string) *Source { return &Source{name: name, followers: map[*func()]struct{}{}} }

// Name is the name of the configuration.
func (s *Source) Name() string { return s.name }

// Set says what the value is: of a tracked file its number, of a BFD session 1
// for up and 0 for down. Followers are told if it is news.
func (s *Source) Set(value int64) {
	s.mu.Lock()
	news := !s.known || s.value != value
	s.known, s.value = true, value
	var tell []func()
	if news {
		for f := range s.followers {
			tell = append(tell, *f)
		}
	}
	s.mu.Unlock()
	for _, f := range tell {
		f()
	}
}

// Value is what was set last, and whether anything was.
func (s *Source) Value() (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.known
}

// Follow has changed called after each change until stop is called.
func (s *Source) Follow(changed func()) (stop func()) {
	key := &changed
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers[key] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, key)
	}
}

// FileConfig is a FILE_CHECK.
type FileConfig struct {
	// Source is the track_file.
	Source *Source
	// Weight is what the file's value is multiplied with, and Reverse changes
	// its sign. The product is added to the server's weight; -2147483648 or
	// less is a failure. Of weight 0 a value other than 0 is a failure, or with
	// Reverse the value 0.
	Weight  int
	Reverse bool
}

// NewFile returns FILE_CHECK: the value of a tracked file, which changes the
// server's weight or fails. Until it is known, the check says nothing.
func NewFile(cfg FileConfig) Check { return fileCheck{cfg} }

type fileCheck struct{ cfg FileConfig }

// Run judges the value as it is now.
func (f fileCheck) Run(context.Context) Result {
	value, known := f.cfg.Source.Value()
	if !known {
		return Result{Err: fmt.Errorf("tracked file %s has no value yet: %w", f.cfg.Source.Name(), ErrNotAttempted)}
	}
	r := Result{Transcript: fmt.Sprintf("value %d", value)}
	delta, ok := f.cfg.judge(value)
	if r.Delta = delta; !ok {
		r.Err = fmt.Errorf("tracked file %s has value %d", f.cfg.Source.Name(), value)
	}
	return r
}

// judge is what a value adds to the weight, and whether it is not a failure.
func (c FileConfig) judge(value int64) (delta int, ok bool) {
	if c.Weight == 0 {
		return 0, (value == 0) != c.Reverse
	}
	// keepalived's numbers are of 32 bits, so that their product fits into 64.
	product := min(max(value, math.MinInt32), math.MaxInt32) * int64(c.Weight)
	if c.Reverse {
		product = -product
	}
	if product <= math.MinInt32 {
		return 0, false
	}
	return int(min(product, math.MaxInt32)), true
}

// Follow follows the file.
func (f fileCheck) Follow(changed func()) (stop func()) { return f.cfg.Source.Follow(changed) }

// Traits says that the check is told.
func (f fileCheck) Traits() Traits { return Traits{Follows: true} }

// Target is the name of the track_file.
func (f fileCheck) Target() string { return f.cfg.Source.Name() }

// String names the check for logs.
func (f fileCheck) String() string { return "FILE_CHECK " + f.Target() }

// NewBFD returns BFD_CHECK: the state of a BFD session. Until it is known, the
// check says nothing.
func NewBFD(session *Source) Check { return bfdCheck{session} }

type bfdCheck struct{ session *Source }

// Run tells the state as it is now.
func (b bfdCheck) Run(context.Context) Result {
	switch value, known := b.session.Value(); {
	case !known:
		return Result{Err: fmt.Errorf("bfd session %s has no state yet: %w", b.session.Name(), ErrNotAttempted)}
	case value == 0:
		return Result{Err: fmt.Errorf("bfd session %s is down", b.session.Name())}
	}
	return Result{Transcript: "up"}
}

// Follow follows the session.
func (b bfdCheck) Follow(changed func()) (stop func()) { return b.session.Follow(changed) }

// Traits says that the check is told.
func (b bfdCheck) Traits() Traits { return Traits{Follows: true} }

// Target is the name of the bfd_instance.
func (b bfdCheck) Target() string { return b.session.Name() }

// String names the check for logs.
func (b bfdCheck) String() string { return "BFD_CHECK " + b.Target() }

// follow is one Follower under the scheduler.
type follow struct {
	entry  *entry
	server netip.AddrPort
	check  int
	run    Check
	stop   func()
	// told is set while it waits for its turn.
	told bool
}

// follow begins to follow what the checks of all services follow, and has each
// look at it once. The lock is held.
func (s *Scheduler) follow() {
	s.unfollow()
	for _, e := range s.order {
		for _, srv := range e.service.Config().Servers {
			server := netip.AddrPortFrom(srv.Addr, srv.Port)
			for i, c := range srv.Checks {
				follower, ok := c.Check.(Follower)
				if !ok {
					continue
				}
				f := &follow{entry: e, server: server, check: i, run: follower, told: true}
				f.stop = follower.Follow(func() { s.tell(f) })
				s.follows = append(s.follows, f)
				s.told = append(s.told, f)
			}
		}
	}
}

// unfollow ends all that follow began. The lock is held.
func (s *Scheduler) unfollow() {
	for _, f := range s.follows {
		f.stop()
		// One that is told all the same is not to be listed again.
		f.told = true
	}
	s.follows, s.told = nil, nil
}

// tell puts a follower on the list of those whose turn has come.
func (s *Scheduler) tell(f *follow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.told {
		return
	}
	f.told = true
	s.told = append(s.told, f)
	s.poke()
}

// observe tells the machines what is listed. The lock is held.
func (s *Scheduler) observe(ctx context.Context, now time.Time) {
	for _, f := range s.told {
		f.told = false
		s.step(f.entry, now, CheckObserved{Server: f.server, Check: f.check, Result: f.run.Run(ctx)})
	}
	clear(s.told)
	s.told = s.told[:0]
}
