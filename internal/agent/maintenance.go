package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/vrrp"
)

// Maintain begins or ends maintenance.
func (a *Agent) Maintain(ctx context.Context, m control.MaintenanceRequest) (control.MaintenanceResponse, error) {
	a.maintaining.Lock()
	defer a.maintaining.Unlock()
	var out control.MaintenanceResponse
	was := a.overrides.get().Maintenance != nil
	if was == m.On {
		return out, fmt.Errorf("this node is %s maintenance already", map[bool]string{true: "in", false: "not in"}[m.On])
	}
	outcomes, ok, err := a.elector.maintain(ctx, m)
	if err != nil {
		return out, err
	}
	out.Outcomes, out.On = outcomes, was
	if !ok {
		return out, nil
	}
	out.On = m.On
	var warning string
	_, warning = a.overrides.change(func(o desired.Overrides) desired.Overrides {
		o.Maintenance = nil
		if m.On {
			o.Maintenance = ordered(ctx, m.Reason)
		}
		return o
	})
	out.Warning = a.warn(warning)
	return out, nil
}

// maintain tells every router of maintenance. Masters offer first; where nobody
// takes one's offer, and it is not forced, all is as before, and ok false.
func (e *elector) maintain(ctx context.Context, req control.MaintenanceRequest) (out []control.MoveOutcome, ok bool, err error) {
	if !e.do(ctx, func(now time.Time) { e.setMaintenance(now, req.On) }) {
		return nil, false, errStopped
	}
	moved := map[string]control.MoveOutcome{}
	ok = true
	for ok && req.On {
		busy, served := false, []string(nil)
		if !e.do(ctx, func(time.Time) { busy, served = e.serving() }) {
			return nil, false, errStopped
		}
		switch {
		case len(served) > 0:
			var more []control.MoveOutcome
			more, ok = e.vacate(ctx, served, req.Force)
			for _, o := range more {
				moved[o.Instance] = o
			}
			continue
		case !busy:
		case wait(ctx, 20*time.Millisecond):
			continue
		default:
			ok = false
		}
		break
	}
	if !e.do(context.WithoutCancel(ctx), func(now time.Time) {
		if !ok {
			e.setMaintenance(now, false)
		}
		e.release(now, moved)
		out = e.maintained(req.On && ok, ok, moved)
	}) {
		return nil, false, errStopped
	}
	e.scribe.written(writeLimit)
	return out, ok, nil
}

// wait waits, and returns false where ctx is done first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// setMaintenance tells all routers, and later ones when they are made.
func (e *elector) setMaintenance(now time.Time, on bool) {
	e.maintenance = on
	for _, c := range e.companies {
		e.step(now, c, vrrp.GroupInput{Input: vrrp.Maintenance{On: on}})
	}
}

// serving names the masters; busy is whether anything is on its way to be one, or
// on its way out.
func (e *elector) serving() (busy bool, names []string) {
	for _, conf := range e.conf.Instances {
		in := e.index.byName[conf.Name]
		if in == nil {
			continue
		}
		switch s := in.router.Status(); {
		case s.State == vrrp.Master && !s.Offering:
			names = append(names, conf.Name)
		case s.State == vrrp.Master, len(s.Held) > 0:
			busy = true
		}
	}
	return busy, names
}

// vacate has masters hand over, or give up where nobody takes over and that is
// forced.
func (e *elector) vacate(ctx context.Context, names []string, force bool) ([]control.MoveOutcome, bool) {
	resp, err := e.move(ctx, control.MoveRequest{Kind: vrrp.Switchover, Instances: names})
	if err != nil {
		return nil, false
	}
	var left []string
	for _, o := range resp.Outcomes {
		if !o.Done {
			left = append(left, o.Instance)
		}
	}
	if len(left) == 0 || !force || ctx.Err() != nil {
		return resp.Outcomes, len(left) == 0
	}
	forced, err := e.move(ctx, control.MoveRequest{Kind: vrrp.Failover, Instances: left, Force: true})
	if err != nil {
		return resp.Outcomes, false
	}
	done := true
	for _, o := range forced.Outcomes {
		done = done && o.Done
		if i := slices.IndexFunc(resp.Outcomes, func(p control.MoveOutcome) bool { return p.Instance == o.Instance }); i >= 0 {
			o.Took += resp.Outcomes[i].Took
			resp.Outcomes[i] = o
		}
	}
	return resp.Outcomes, done
}

// release ends the holds that handing over for maintenance has left: what keeps
// the routers backup is the maintenance.
func (e *elector) release(now time.Time, moved map[string]control.MoveOutcome) {
	var companies []*company
	for name, o := range moved {
		if in := e.index.byName[name]; in != nil && o.Done && in.router.Status().Hold && !slices.Contains(companies, in.company) {
			companies = append(companies, in.company)
		}
	}
	for _, c := range companies {
		e.step(now, c, vrrp.GroupInput{Input: vrrp.Command{Kind: vrrp.Resume}})
	}
}

// maintained is what became of each instance.
func (e *elector) maintained(on, ok bool, moved map[string]control.MoveOutcome) []control.MoveOutcome {
	out := []control.MoveOutcome{}
	for _, conf := range e.conf.Instances {
		in := e.index.byName[conf.Name]
		if in == nil {
			continue
		}
		o, was := moved[conf.Name]
		if !was {
			o = control.MoveOutcome{Instance: conf.Name, Done: ok}
			switch {
			case on:
				o.Text = "does not become master"
			case ok:
				o.Text = "may become master"
			default:
				o.Text = "as before, since another instance cannot leave"
			}
		}
		o.State = stateName(in.router.Status())
		out = append(out, o)
	}
	return out
}
