package ipvstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs"
)

// Globals is a kernel's globals in memory. Its methods are safe for use by
// several goroutines.
type Globals struct {
	mu       sync.Mutex
	daemons  []ipvs.Daemon
	timeouts ipvs.Timeouts
	fail     error
}

var _ ipvs.GlobalsConn = (*Globals)(nil)

// NewGlobals returns the globals of a kernel that has just started.
func NewGlobals() *Globals {
	return &Globals{timeouts: ipvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}}
}

// Fail makes every call return err, until it is nil.
func (g *Globals) Fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = err
}

// Daemons returns the daemons that run.
func (g *Globals) Daemons(context.Context) ([]ipvs.Daemon, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.daemons), g.fail
}

// StartDaemon starts a daemon; one of its part that runs is EEXIST.
func (g *Globals) StartDaemon(_ context.Context, d ipvs.Daemon) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		return g.fail
	}
	if slices.ContainsFunc(g.daemons, func(h ipvs.Daemon) bool { return h.State == d.State }) {
		return fmt.Errorf("start %s: %w", d, unix.EEXIST)
	}
	if d.Port == 0 {
		d.Port = 8848
	}
	g.daemons = append(g.daemons, d)
	return nil
}

// StopDaemon stops the daemon of that part.
func (g *Globals) StopDaemon(_ context.Context, s ipvs.DaemonState) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.daemons = slices.DeleteFunc(g.daemons, func(d ipvs.Daemon) bool { return d.State == s })
	return g.fail
}

// Timeouts returns the timeouts.
func (g *Globals) Timeouts(context.Context) (ipvs.Timeouts, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.timeouts, g.fail
}

// SetTimeouts sets the timeouts that are not zero.
func (g *Globals) SetTimeouts(_ context.Context, t ipvs.Timeouts) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		return g.fail
	}
	for _, one := range []struct{ to, from *time.Duration }{
		{&g.timeouts.TCP, &t.TCP}, {&g.timeouts.TCPFin, &t.TCPFin}, {&g.timeouts.UDP, &t.UDP},
	} {
		if *one.from != 0 {
			*one.to = *one.from
		}
	}
	return nil
}
