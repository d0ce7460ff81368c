package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// move is an operator's order on its way through the routers.
type move struct {
	kind    vrrp.CommandKind
	begun   time.Time
	pending map[*instance]*control.MoveOutcome
	// from is each instance's state when the order was given.
	from     map[*instance]vrrp.State
	outcomes []*control.MoveOutcome
	done     chan struct{}
}

// move gives an order to the instances named, or to all that it makes sense
// for, and waits until each has settled or ctx is done.
func (e *elector) move(ctx context.Context, req control.MoveRequest) (control.MoveResponse, error) {
	var m *move
	var err error
	if !e.do(ctx, func(now time.Time) { m, err = e.order(now, req) }) {
		return control.MoveResponse{}, errStopped
	}
	if err != nil {
		return control.MoveResponse{}, err
	}
	select {
	case <-m.done:
	case <-e.done:
	case <-ctx.Done():
	}
	resp := control.MoveResponse{Outcomes: []control.MoveOutcome{}}
	e.do(context.WithoutCancel(ctx), func(now time.Time) {
		for in := range maps.All(m.pending) {
			m.finish(now, in, false, "not settled in time; the order stands")
		}
		e.moves = slices.DeleteFunc(e.moves, func(x *move) bool { return x == m })
		for _, o := range m.outcomes {
			resp.Outcomes = append(resp.Outcomes, *o)
		}
	})
	e.scribe.written(writeLimit)
	return resp, nil
}

// order finds the instances that an order is for and gives it to their groups.
func (e *elector) order(now time.Time, req control.MoveRequest) (*move, error) {
	targets, err := e.targets(req)
	if err != nil {
		return nil, err
	}
	m := &move{
		kind: req.Kind, begun: now, done: make(chan struct{}),
		pending: map[*instance]*control.MoveOutcome{},
		from:    map[*instance]vrrp.State{},
	}
	var companies []*company
	for _, in := range targets {
		if !slices.Contains(companies, in.company) {
			companies = append(companies, in.company)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.instances)) {
		if in := e.instances[id]; slices.Contains(companies, in.company) {
			o := &control.MoveOutcome{Instance: in.conf.Name}
			m.pending[in], m.outcomes = o, append(m.outcomes, o)
			m.from[in] = in.router.Status().State
		}
	}
	if len(m.pending) == 0 {
		close(m.done)
		return m, nil
	}
	e.moves = append(e.moves, m)
	for _, c := range companies {
		e.step(now, c, vrrp.GroupInput{Input: vrrp.Command{Kind: req.Kind, Force: req.Force}})
	}
	return m, nil
}

// targets are the instances that an order names, or all of them that it can
// mean where it names none.
func (e *elector) targets(req control.MoveRequest) ([]*instance, error) {
	var out []*instance
	for _, name := range req.Instances {
		in := e.index.byName[name]
		if in == nil {
			return nil, control.NoSuch("instance", name, slices.Sorted(maps.Keys(e.index.byName)))
		}
		out = append(out, in)
	}
	if len(req.Instances) > 0 {
		return out, nil
	}
	for _, name := range slices.Sorted(maps.Keys(e.index.byName)) {
		in := e.index.byName[name]
		s := in.router.Status()
		switch {
		case req.Kind == vrrp.Switchover && s.State != vrrp.Master,
			req.Kind == vrrp.Failover && (s.State == vrrp.Master) != req.Force,
			req.Kind == vrrp.Resume && !s.Hold && !s.Forced && s.DampedUntil.IsZero():
			continue
		}
		out = append(out, in)
	}
	if len(out) > 0 {
		return out, nil
	}
	switch {
	case len(e.instances) == 0:
		return nil, fmt.Errorf("no VRRP instance is configured")
	case req.Kind == vrrp.Resume:
		return nil, fmt.Errorf("nothing to resume: no instance is held, damped or forced")
	case req.Kind == vrrp.Switchover, req.Force:
		return nil, fmt.Errorf("this node is master of no instance: order it on the active node%s, or a failover here", e.knownMasters())
	}
	return nil, fmt.Errorf("this node is master of every instance already")
}

// knownMasters names the nodes that are heard as masters, in brackets.
func (e *elector) knownMasters() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(e.index.byName)) {
		if m := e.index.byName[name].router.Status().Master; m.IsValid() {
			out = append(out, fmt.Sprintf("%s: %v", name, m))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// settle looks whether an output ends what an order waits for.
func (e *elector) settle(now time.Time, in *instance, out vrrp.Output) {
	for _, m := range e.moves {
		if m.pending[in] != nil {
			m.settle(now, in, out)
		}
	}
}

func (m *move) settle(now time.Time, in *instance, out vrrp.Output) {
	switch o := out.(type) {
	case vrrp.CommandDone:
		if o.Err != "" {
			m.finish(now, in, false, o.Err)
		} else if m.kind == vrrp.Resume {
			m.finish(now, in, true, "the override is gone; the ordinary rules decide again")
		}
	case vrrp.Noticed:
		if o.Kind == vrrp.NoticeRolledBack {
			m.finish(now, in, false, o.Detail+lastHeard(now, in))
		}
	case vrrp.StateChanged:
		wasMaster := m.from[in] == vrrp.Master
		if m.kind != vrrp.Resume && wasMaster != (o.To == vrrp.Master) {
			m.finish(now, in, true, o.Cause.Detail)
		}
	}
}

// lastHeard tells what is known of a peer that did not answer: backups are silent.
func lastHeard(now time.Time, in *instance) string {
	at := in.router.Status().LastAdvert
	if at.IsZero() {
		return "; no other node has been heard since the start"
	}
	return fmt.Sprintf("; another node was last heard %s ago", now.Sub(at).Round(100*time.Millisecond))
}

// finish writes down how the order ended for one instance.
func (m *move) finish(now time.Time, in *instance, done bool, text string) {
	o := m.pending[in]
	o.Done, o.Text, o.Took = done, text, now.Sub(m.begun)
	o.State = stateName(in.router.Status())
	delete(m.pending, in)
	if len(m.pending) == 0 {
		close(m.done)
	}
}
