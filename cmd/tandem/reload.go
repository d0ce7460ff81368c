package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
)

// reloadLimit is how long the command waits for a reload.
const reloadLimit = control.MaxMoveTimeout

func setupReload(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	id := f.String("plan", "", "do what the plan of this `ID` has said, or nothing")
	return func(c *call) int {
		ctx, cancel := context.WithTimeout(context.Background(), reloadLimit)
		defer cancel()
		resp, err := c.client(c.places).Reload(ctx, control.ReloadRequest{Plan: *id})
		if err != nil {
			return c.unreachable(err)
		}
		if *out == formatJSON {
			if err := c.printJSON(resp); err != nil {
				return c.fail(err)
			}
		} else {
			c.printReload(resp)
		}
		if !resp.OK {
			return exitCommandFailed
		}
		return exitOK
	}
}

// printReload says how a reload ended, in text.
func (c *call) printReload(r control.ReloadResponse) {
	if len(r.Diagnostics) > 0 {
		config.Render(c.stderr, r.Diagnostics)
	}
	switch {
	case !r.OK:
		reason := r.Err
		if reason == "" {
			reason = "the configuration cannot run"
		}
		fmt.Fprintf(c.stderr, "Not reloaded, nothing was changed: %s\n", reason)
	case !r.Changed:
		fmt.Fprintln(c.stdout, "Reloaded: the configuration means what it meant before, nothing was changed.")
	default:
		fmt.Fprintln(c.stdout, "Reloaded:")
		for _, line := range r.Changes {
			fmt.Fprintf(c.stdout, "  %s\n", line)
		}
		if len(r.Changes) == 0 {
			fmt.Fprintln(c.stdout, "  the configuration was changed")
		}
	}
}
