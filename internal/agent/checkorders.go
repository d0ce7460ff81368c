package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
)

// Check orders something of health checks.
func (a *Agent) Check(ctx context.Context, r control.CheckRequest) (control.CheckResponse, error) {
	checks, err := a.balancer.checks(r)
	if err != nil {
		return control.CheckResponse{}, err
	}
	if r.Action != control.CheckNow {
		return a.pauseChecks(ctx, r, checks)
	}
	resp := control.CheckResponse{Outcomes: make([]control.CheckOutcome, len(checks))}
	done := make(chan struct{}, len(checks))
	for i, c := range checks {
		go func() {
			defer func() { done <- struct{}{} }()
			resp.Outcomes[i] = a.balancer.checkNow(ctx, c)
		}()
	}
	for range checks {
		<-done
	}
	return resp, nil
}

// ordered is a check that an order means.
type orderedCheck struct {
	target
	place  int
	status health.CheckStatus
	// follows is whether the check is told rather than asked.
	follows bool
}

// checks finds the checks that an order means.
func (b *balancer) checks(r control.CheckRequest) ([]orderedCheck, error) {
	targets, err := b.targets(r.Server, r.VirtualServers, desired.Overrides{}, false)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	configured := map[string]health.ServiceConfig{}
	for _, s := range b.services {
		configured[s.Name] = s
	}
	b.mu.Unlock()
	var out []orderedCheck
	var kinds []string
	for _, st := range b.scheduler.Status() {
		for _, t := range targets {
			if t.service != st.Name {
				continue
			}
			for _, srv := range st.Servers {
				if srv.Sorry || netip.AddrPortFrom(srv.Addr, srv.Port) != t.server {
					continue
				}
				for i, c := range srv.Checks {
					kinds = append(kinds, c.Kind)
					if r.Check == "" || strings.EqualFold(r.Check, c.Kind) {
						out = append(out, orderedCheck{t, i, c, follows(configured[t.service], t.server, i)})
					}
				}
			}
		}
	}
	switch {
	case len(kinds) == 0:
		return nil, fmt.Errorf("%s has no health check", r.Server)
	case len(out) == 0:
		return nil, &control.NotFoundError{Err: fmt.Errorf("%s: %w", r.Server, control.NoSuch("check", r.Check, kinds))}
	}
	return out, nil
}

func follows(s health.ServiceConfig, at netip.AddrPort, place int) bool {
	for _, srv := range s.Servers {
		if netip.AddrPortFrom(srv.Addr, srv.Port) == at && place < len(srv.Checks) {
			return srv.Checks[place].Follows()
		}
	}
	return false
}

func (c orderedCheck) outcome(done bool, text string, s health.CheckStatus) control.CheckOutcome {
	return control.CheckOutcome{VirtualServer: c.service, Server: c.server, Check: c.status.Kind, Target: c.status.Target,
		Done: done, Text: text, State: s.State}
}

func (b *balancer) checkNow(ctx context.Context, c orderedCheck) control.CheckOutcome {
	s, err := b.scheduler.CheckNow(ctx, c.service, c.server, c.place)
	if err != nil {
		return c.outcome(false, err.Error(), c.status)
	}
	out := c.outcome(s.Err == "", "succeeded", s)
	if s.Err != "" {
		out.Text = s.Err
	}
	out.Took, out.Transcript = s.Took, s.Transcript
	return out
}

// pauseChecks begins or ends the pause of checks.
func (a *Agent) pauseChecks(ctx context.Context, r control.CheckRequest, checks []orderedCheck) (control.CheckResponse, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	on := r.Action == control.Pause
	var resp control.CheckResponse
	var chosen []orderedCheck
	for _, c := range checks {
		switch {
		case c.follows:
			resp.Outcomes = append(resp.Outcomes, c.outcome(false, "is told what to think: there is nothing to pause", c.status))
		case c.status.Paused == on:
			resp.Outcomes = append(resp.Outcomes, c.outcome(false, map[bool]string{true: "is paused already", false: "is not paused"}[on], c.status))
		default:
			chosen = append(chosen, c)
			text := "made again, at once"
			if on {
				text = "not made; it goes on counting as " + countsAs(c.status)
			}
			resp.Outcomes = append(resp.Outcomes, c.outcome(true, text, c.status))
		}
	}
	if len(chosen) == 0 {
		return resp, errors.New(resp.Outcomes[0].Check + " of " + r.Server + " " + resp.Outcomes[0].Text)
	}
	now, warning := a.overrides.change(func(o desired.Overrides) desired.Overrides {
		for _, c := range chosen {
			o = o.WithPause(desired.CheckPause{Service: c.service, Server: c.server, Kind: c.status.Kind, Target: c.status.Target,
				Failed: c.status.State == "down", Override: *ordered(ctx, r.Reason)}, on)
		}
		return o
	})
	a.balancer.override(now)
	for _, c := range chosen {
		text := "is made again"
		if on {
			text = "is paused"
		}
		a.journal.Add(journal.Event{Area: journal.Checks, Kind: "check-" + string(r.Action), Level: journal.Notice, Subject: c.service,
			By: ordered(ctx, "").By, Cause: r.Reason, Text: fmt.Sprintf("%s of %s of %s %s", c.status.Kind, c.server, c.service, text)})
	}
	resp.Warning = a.warn(warning)
	return resp, nil
}

// countsAs is how a check counts in words.
func countsAs(s health.CheckStatus) string {
	if s.State == "down" {
		return "failed"
	}
	return "good"
}
