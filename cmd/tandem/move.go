package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// moveHelp explains an order.
func moveHelp(kind vrrp.CommandKind) string {
	switch kind {
	case vrrp.Switchover:
		return "On the active node: offers the instances named (all that are master here, if none is) to their peers. " +
			"This node serves on until the peer has taken over; where none does, it stays master and says so. Afterwards " +
			"it holds: it stays backup whatever its priority, until no peer is left or until tandem resume. A sync group moves whole."
	case vrrp.Failover:
		return "On a standby node: takes over now and stays master until tandem resume, or says why that cannot win. " +
			"On the active node it needs --force, and gives the addresses up at once, without waiting for a peer; " +
			"that may lose packets, and without a terminal needs --yes."
	}
	return "Ends the hold of a switchover and the raised priority of a failover; priorities decide again."
}

// setupMove is the set-up of the command that gives an order of that kind.
func setupMove(kind vrrp.CommandKind) func(f *flag.FlagSet) func(*call) int {
	return func(f *flag.FlagSet) func(*call) int {
		out, timeout, yes := addFormat(f), addTimeout(f), addYes(f)
		force := new(bool)
		if kind == vrrp.Failover {
			f.BoolVar(force, "force", false, "on the active node: give up at once; on a standby: need no condition")
		}
		return func(c *call) int {
			if err := timeoutOK(*timeout); err != nil {
				return c.fail(err)
			}
			m := control.MoveRequest{Kind: kind, Instances: c.args, Force: *force}
			if err := c.confirmMove(*yes, m); err != nil {
				return c.fail(err)
			}
			resp, err := c.client(c.places).Move(context.Background(), m, *timeout)
			if err != nil {
				return c.unreachable(err)
			}
			return c.finish(*out, resp, moveStatus(resp) == exitOK, func(b *bytes.Buffer) {
				if len(resp.Outcomes) == 0 {
					b.WriteString("There is no instance to move.\n")
				}
				outcomeTable(resp.Outcomes).to(b)
			})
		}
	}
}

// confirmMove asks before addresses move.
func (c *call) confirmMove(yes bool, m control.MoveRequest) error {
	what := "all that it is master of"
	if m.Kind != vrrp.Switchover {
		what = "all that it can"
	}
	if len(m.Instances) > 0 {
		what = strings.Join(m.Instances, ", ")
	}
	switch {
	case m.Force:
		return c.confirm(yes, lossy, fmt.Sprintf("With --force this node moves %s without waiting for a peer: where none takes over, nobody serves.", what))
	case m.Kind == vrrp.Switchover:
		return c.confirm(yes, lossless, fmt.Sprintf("This node hands over %s.", what))
	case m.Kind == vrrp.Failover:
		return c.confirm(yes, lossless, fmt.Sprintf("This node takes over %s.", what))
	}
	return nil
}

// moveStatus is success only where every outcome is one, and there is one.
func moveStatus(resp control.MoveResponse) int {
	for _, o := range resp.Outcomes {
		if !o.Done {
			return exitCommandFailed
		}
	}
	if len(resp.Outcomes) == 0 {
		return exitCommandFailed
	}
	return exitOK
}

// outcomeTable has one line an instance.
func outcomeTable(outcomes []control.MoveOutcome) *table {
	t := &table{}
	for _, o := range outcomes {
		text := o.Text
		if o.Took > 0 {
			text += fmt.Sprintf(" (%s)", precise(o.Took))
		}
		t.row(o.Instance, doneWord(o.Done), o.State, text)
	}
	return t
}

// unreachable reports an error of the control client.
func (c *call) unreachable(err error) int {
	if _, ok := errors.AsType[*control.NotRunningError](err); ok {
		fmt.Fprintln(c.stderr, err)
		return exitNotRunning
	}
	return c.fail(err)
}

// printJSON writes v indented.
func (c *call) printJSON(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// precise is a short duration for people.
func precise(d time.Duration) string {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
