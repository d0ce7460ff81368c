package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/plan"
)

// exitChanges is the status of a plan that would change something.
const exitChanges = 2

func setupPlan(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	return func(c *call) int {
		ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
		defer cancel()
		r, err := c.client(c.places).Plan(ctx)
		if err != nil {
			return c.unreachable(err)
		}
		if *out == formatJSON {
			if err := c.printJSON(r); err != nil {
				return c.fail(err)
			}
		} else if len(r.Diagnostics) > 0 {
			config.Render(c.stderr, r.Diagnostics)
		}
		if !r.OK || r.Plan == nil {
			if *out != formatJSON {
				fmt.Fprintf(c.stderr, "A reload would be refused: %s\n", r.Err)
			}
			return exitCommandFailed
		}
		if *out != formatJSON {
			if _, err := c.stdout.Write(planText(*r.Plan, c.colours())); err != nil {
				return c.fail(err)
			}
		}
		if r.Plan.Empty() {
			return exitOK
		}
		return exitChanges
	}
}

// planText is a plan for people.
func planText(p plan.Plan, colours bool) []byte {
	var b bytes.Buffer
	if p.Empty() {
		b.WriteString("A reload would change nothing.\n")
		return b.Bytes()
	}
	line := func(indent string, a plan.Action, text string) {
		mark, colour := "~", yellow
		switch a {
		case plan.Add:
			mark, colour = "+", green
		case plan.Remove:
			mark, colour = "-", red
		}
		if colours {
			fmt.Fprintf(&b, "%s%s%s %s%s\n", indent, colour, mark, text, plain)
		} else {
			fmt.Fprintf(&b, "%s%s %s\n", indent, mark, text)
		}
	}
	b.WriteString("The configuration:\n")
	for _, c := range p.Changes {
		line("  ", c.Action, c.Subject)
		for _, d := range c.Details {
			fmt.Fprintf(&b, "      %s\n", d)
		}
	}
	for _, part := range []struct {
		title string
		steps []plan.Step
	}{{"The host, now:", p.Host}, {"IPVS, now:", p.IPVS}} {
		if len(part.steps) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", part.title)
		for _, s := range part.steps {
			line("  ", s.Action, s.Text)
		}
	}
	if len(p.Traffic) > 0 {
		b.WriteString("Traffic:\n")
		for _, t := range p.Traffic {
			fmt.Fprintf(&b, "  %s\n", t)
		}
	}
	fmt.Fprintf(&b, "\ntandem reload --plan %s does this, or nothing.\n", p.ID)
	return b.Bytes()
}
