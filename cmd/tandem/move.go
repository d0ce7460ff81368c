package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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
			"On the active node it needs --force, and gives the addresses up at once, without waiting for a peer."
	}
	return "Ends the hold of a switchover and the raised priority of a failover; priorities decide again."
}

// setupMove is the set-up of the command that gives an order of that kind.
func setupMove(kind vrrp.CommandKind) func(f *flag.FlagSet) func(*call) int {
	return func(f *flag.FlagSet) func(*call) int {
		out := addFormat(f)
		timeout := f.Duration("timeout", control.DefaultMoveTimeout, "how long to wait for the outcome, a `DURATION` (default 30s)")
		force := new(bool)
		if kind == vrrp.Failover {
			f.BoolVar(force, "force", false, "on the active node: give up at once")
		}
		return func(c *call) int {
			if *timeout <= 0 || *timeout > control.MaxMoveTimeout {
				return c.fail(fmt.Errorf("--timeout %s is not above 0 and at most %s", *timeout, control.MaxMoveTimeout))
			}
			m := control.MoveRequest{Kind: kind, Instances: c.args, Force: *force}
			resp, err := c.client(c.places).Move(context.Background(), m, *timeout)
			if err != nil {
				return c.unreachable(err)
			}
			if *out == formatJSON {
				err = c.printJSON(resp)
			} else {
				err = c.printOutcomes(resp)
			}
			if err != nil {
				return c.fail(err)
			}
			return moveStatus(resp)
		}
	}
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

// printOutcomes writes one line an instance.
func (c *call) printOutcomes(resp control.MoveResponse) error {
	if len(resp.Outcomes) == 0 {
		_, err := fmt.Fprintln(c.stdout, "There is no instance to move.")
		return err
	}
	t := table{}
	for _, o := range resp.Outcomes {
		word := "done"
		if !o.Done {
			word = "NOT DONE"
		}
		text := o.Text
		if o.Took > 0 {
			text += fmt.Sprintf(" (%s)", precise(o.Took))
		}
		t.row(o.Instance, word, o.State, text)
	}
	return t.write(c.stdout, "")
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
