package ipvs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Globals are what the kernel's IPVS has beside its table: the daemons that copy
// connections from kernel to kernel, and how long idle connections are kept.
type Globals struct {
	Daemons  []Daemon `json:"daemons,omitempty"`
	Timeouts Timeouts `json:"timeouts,omitzero"`
}

// GlobalsConn is the kernel as the GlobalsKeeper needs it. Client is the real
// one; package ipvstest has one in memory.
type GlobalsConn interface {
	Daemons(ctx context.Context) ([]Daemon, error)
	StartDaemon(ctx context.Context, d Daemon) error
	StopDaemon(ctx context.Context, s DaemonState) error
	Timeouts(ctx context.Context) (Timeouts, error)
	SetTimeouts(ctx context.Context, t Timeouts) error
}

// The periods of a GlobalsKeeper.
const (
	globalsPeriod = 30 * time.Second
	globalsRetry  = time.Second
	// SyncLinger is how long a sync daemon goes on beside the one of the other part
	// that takes its place. The kernel holds back what it is to send for up to 2 s,
	// and forgets it where the daemon ends: connections opened just before a switch
	// are neither sent nor received without this.
	SyncLinger = 3 * time.Second
)

// GlobalsKeeper keeps the kernel's globals as they were last Set. The daemons
// are ours once one was wanted; until then, those of others are left alone. One
// that only changes its part keeps the old part for a while. The timeouts are
// put back to what they were when they are wanted no longer.
type GlobalsKeeper struct {
	conn    GlobalsConn
	onError func(error)
	wake    chan struct{}

	mu      sync.Mutex
	want    Globals
	stopped bool

	// work is held while the kernel is asked; it guards what follows.
	work sync.Mutex
	ours bool
	// leaving says until when a daemon that is wanted no longer goes on.
	leaving map[DaemonState]time.Time
	// before are the timeouts that we found, once we have changed them.
	before Timeouts
	err    string
}

// NewGlobalsKeeper returns a keeper that does nothing until something is wanted.
// onError is called with an error when it comes up or becomes another, and with
// nil when all is well again.
func NewGlobalsKeeper(conn GlobalsConn, onError func(error)) *GlobalsKeeper {
	return &GlobalsKeeper{conn: conn, onError: onError, wake: make(chan struct{}, 1), leaving: map[DaemonState]time.Time{}}
}

// Set makes g the wanted globals; it does not wait for the kernel.
func (k *GlobalsKeeper) Set(g Globals) {
	k.mu.Lock()
	k.want = g
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run keeps the globals until ctx is done; it leaves them as they are.
func (k *GlobalsKeeper) Run(ctx context.Context) error {
	timer := time.NewTimer(globalsPeriod)
	defer timer.Stop()
	backoff := globalsRetry
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-timer.C:
		}
		if next, ok := k.turn(ctx); ok {
			backoff = globalsRetry
			timer.Reset(next)
			continue
		}
		timer.Reset(backoff)
		backoff = min(2*backoff, globalsPeriod)
	}
}

// Leave leaves the daemons running and the timeouts as they are. Run does nothing
// afterwards.
func (k *GlobalsKeeper) Leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.want, k.stopped = Globals{}, true
}

// Stop ends the daemons that are ours and puts the timeouts back. A daemon that sends
// goes on until it has sent what it holds back, or until hurry is closed. Run does
// nothing afterwards.
func (k *GlobalsKeeper) Stop(hurry <-chan struct{}) error {
	k.Leave()
	k.work.Lock()
	defer k.work.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), SyncLinger+globalsRetry)
	defer cancel()
	if err := k.sendAll(ctx, hurry); err != nil {
		return err
	}
	_, err := k.pursue(ctx, Globals{})
	return err
}

// sendAll waits until a daemon of ours that sends has nothing left that was there
// when it was last wanted.
func (k *GlobalsKeeper) sendAll(ctx context.Context, hurry <-chan struct{}) error {
	if !k.ours {
		return nil
	}
	have, err := k.conn.Daemons(ctx)
	if err != nil || !slices.ContainsFunc(have, func(d Daemon) bool { return d.State == DaemonMaster }) {
		return err
	}
	until, ok := k.leaving[DaemonMaster]
	if !ok {
		until = time.Now().Add(SyncLinger)
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	}
	return nil
}

// turn brings the kernel to what is wanted and says when to look again; false
// where it must be tried again.
func (k *GlobalsKeeper) turn(ctx context.Context) (time.Duration, bool) {
	k.work.Lock()
	defer k.work.Unlock()
	k.mu.Lock()
	want, stopped := k.want, k.stopped
	k.mu.Unlock()
	if stopped {
		return globalsPeriod, true
	}
	next, err := k.pursue(ctx, want)
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != k.err && ctx.Err() == nil {
		k.err = text
		k.onError(err)
	}
	return next, err == nil
}

func (k *GlobalsKeeper) pursue(ctx context.Context, want Globals) (time.Duration, error) {
	next, err := k.daemons(ctx, want.Daemons)
	return next, errors.Join(err, k.timeouts(ctx, want.Timeouts))
}

func (k *GlobalsKeeper) daemons(ctx context.Context, want []Daemon) (next time.Duration, err error) {
	next = globalsPeriod
	k.ours = k.ours || len(want) > 0
	if !k.ours {
		return next, nil
	}
	have, err := k.conn.Daemons(ctx)
	if err != nil {
		return next, err
	}
	now := time.Now()
	linger := k.linger(have, want, now)
	for _, d := range linger {
		next = min(next, k.leaving[d.State].Sub(now))
	}
	stop, start := diffDaemons(have, slices.Concat(want, linger))
	for _, s := range stop {
		if err := k.conn.StopDaemon(ctx, s); err != nil {
			return next, err
		}
	}
	for _, d := range start {
		if err := k.conn.StartDaemon(ctx, d); err != nil && !errors.Is(err, unix.EEXIST) {
			return next, err
		}
	}
	return next, nil
}

// linger says which of the daemons that run go on for now, although only their
// other part is wanted; an earlier process may have started them.
func (k *GlobalsKeeper) linger(have, want []Daemon, now time.Time) []Daemon {
	var out []Daemon
	before := k.leaving
	k.leaving = map[DaemonState]time.Time{}
	for _, h := range have {
		if slices.ContainsFunc(want, h.serves) || !slices.ContainsFunc(want, h.turned().serves) {
			continue
		}
		until, ok := before[h.State]
		if !ok {
			until = now.Add(SyncLinger)
		}
		k.leaving[h.State] = until
		if now.Before(until) {
			out = append(out, h)
		}
	}
	return out
}

func (k *GlobalsKeeper) timeouts(ctx context.Context, want Timeouts) error {
	if want == (Timeouts{}) && k.before == (Timeouts{}) {
		return nil
	}
	have, err := k.conn.Timeouts(ctx)
	if err != nil {
		return err
	}
	if k.before == (Timeouts{}) {
		k.before = have
	}
	goal := want.over(k.before)
	if goal != have {
		if err := k.conn.SetTimeouts(ctx, goal); err != nil {
			return err
		}
	}
	if want == (Timeouts{}) {
		k.before = Timeouts{}
	}
	return nil
}

// over is t, with what is not set in it taken from base.
func (t Timeouts) over(base Timeouts) Timeouts {
	if t.TCP != 0 {
		base.TCP = t.TCP
	}
	if t.TCPFin != 0 {
		base.TCPFin = t.TCPFin
	}
	if t.UDP != 0 {
		base.UDP = t.UDP
	}
	return base
}

// diffDaemons says which daemons are to be stopped and which started, in this
// order, to come from those that run to those that are wanted. What a wanted one
// leaves to the kernel may be anything.
func diffDaemons(have, want []Daemon) (stop []DaemonState, start []Daemon) {
	for _, h := range have {
		if !slices.ContainsFunc(want, h.serves) {
			stop = append(stop, h.State)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h Daemon) bool { return h.serves(w) }) {
			start = append(start, w)
		}
	}
	return stop, start
}

// serves is whether the daemon d, which runs, is what w wants.
func (d Daemon) serves(w Daemon) bool {
	if w.MaxLen == 0 {
		w.MaxLen = d.MaxLen
	}
	if !w.Group.IsValid() {
		w.Group = d.Group
	}
	if w.Port == 0 {
		w.Port = d.Port
	}
	if w.TTL == 0 {
		w.TTL = d.TTL
	}
	return d == w
}

// turned is the daemon in its other part.
func (d Daemon) turned() Daemon {
	if d.State == DaemonMaster {
		d.State = DaemonBackup
	} else {
		d.State = DaemonMaster
	}
	return d
}

// String names the daemon for people: "master sync daemon on eth0, id 51".
func (d Daemon) String() string {
	return fmt.Sprintf("%v sync daemon on %s, id %d", d.State, d.Interface, d.SyncID)
}
