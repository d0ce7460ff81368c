package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
)

// addTimeout adds the flag --timeout, whose value is to be checked by timeoutOK.
func addTimeout(f *flag.FlagSet) *time.Duration {
	return f.Duration("timeout", control.DefaultMoveTimeout, "how long to wait for the outcome, a `DURATION` (default 30s)")
}

// timeoutOK says what is wrong with a timeout.
func timeoutOK(d time.Duration) error {
	if d <= 0 || d > control.MaxMoveTimeout {
		return fmt.Errorf("--timeout %s is not above 0 and at most %s", d, control.MaxMoveTimeout)
	}
	return nil
}

// addServices adds the flag that names virtual servers.
func addServices(f *flag.FlagSet) *[]string {
	var list []string
	f.Func("in", "only in the virtual server `NAME`, or ADDRESS:PORT; may be repeated", appendTo(&list))
	return &list
}

func addReason(f *flag.FlagSet) *string {
	return f.String("reason", "", "`TEXT` that status and journal show beside the order")
}

// setupMaintenance is the set-up of maintenance.
func setupMaintenance(f *flag.FlagSet) func(*call) int {
	out, timeout, yes, reason := addFormat(f), addTimeout(f), addYes(f), addReason(f)
	force := f.Bool("force", false, "with on: give up what nobody takes over")
	return func(c *call) int {
		if len(c.args) != 1 || c.args[0] != "on" && c.args[0] != "off" {
			return c.fail(fmt.Errorf("write %s maintenance on or off", c.name))
		}
		if err := timeoutOK(*timeout); err != nil {
			return c.fail(err)
		}
		m := control.MaintenanceRequest{On: c.args[0] == "on", Force: *force, Reason: *reason}
		r, question := lossless, "This node hands over what it is master of, and does not become master until tandem maintenance off."
		if m.Force {
			r, question = lossy, "This node gives up what it is master of, whether a peer is there or not."
		}
		if m.On {
			if err := c.confirm(*yes, r, question); err != nil {
				return c.fail(err)
			}
		}
		resp, err := c.client(c.places).Maintain(context.Background(), m, *timeout)
		if err != nil {
			return c.unreachable(err)
		}
		return c.finish(*out, resp, resp.On == m.On, func(b *bytes.Buffer) {
			outcomeTable(resp.Outcomes).to(b)
			switch {
			case resp.On == m.On && m.On:
				b.WriteString("In maintenance: this node does not become master until tandem maintenance off.\n")
			case resp.On == m.On:
				b.WriteString("Not in maintenance: this node may become master.\n")
			default:
				b.WriteString("Not in maintenance: nothing was changed.\n")
			}
			warning(b, resp.Warning)
		})
	}
}

// setupServer is the set-up of the order for a real server.
func setupServer(action control.ServerAction) func(f *flag.FlagSet) func(*call) int {
	return func(f *flag.FlagSet) func(*call) int {
		out, timeout, services, reason := addFormat(f), addTimeout(f), addServices(f), addReason(f)
		takes := action == control.Drain || action == control.Weight
		yes, force, wait := new(bool), new(bool), new(bool)
		if takes {
			yes = addYes(f)
			f.BoolVar(force, "force", false, "also where no other real server takes new connections")
		}
		if action == control.Drain {
			f.BoolVar(wait, "wait", true, "wait until no connection is left; --wait=false does not")
		}
		return func(c *call) int {
			if err := timeoutOK(*timeout); err != nil {
				return c.fail(err)
			}
			r := control.ServerRequest{Action: action, VirtualServers: *services, Wait: *wait, Force: *force, Reason: *reason}
			if err := serverWords(&r, c.args); err != nil {
				return c.fail(fmt.Errorf("%w; see %s help %s", err, c.name, c.command))
			}
			if r.Action == control.Weight && r.Weight == nil {
				r.Action = control.Unweight
			} else if takes {
				if err := c.confirmServer(*yes, r); err != nil {
					return c.fail(err)
				}
			}
			resp, err := c.client(c.places).Server(context.Background(), r, *timeout)
			if err != nil {
				return c.unreachable(err)
			}
			done := true
			t := table{}
			for _, o := range resp.Outcomes {
				done = done && o.Done
				t.row(o.VirtualServer, o.Server.String(), doneWord(o.Done), o.Text)
			}
			return c.finish(*out, resp, done, func(b *bytes.Buffer) {
				t.to(b)
				warning(b, resp.Warning)
			})
		}
	}
}

// resetWord takes the place of a weight, to end the order of one.
const resetWord = "reset"

// serverWords reads SERVER and, for weight, WEIGHT.
func serverWords(r *control.ServerRequest, args []string) error {
	want := 1
	if r.Action == control.Weight {
		want = 2
	}
	if len(args) != want {
		return fmt.Errorf("%d words are given, not %d", len(args), want)
	}
	r.Server = args[0]
	if _, err := control.ParseServer(r.Server); err != nil {
		return err
	}
	if want == 2 && args[1] != resetWord {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return fmt.Errorf("weight %q is neither a number nor %s", args[1], resetWord)
		}
		r.Weight = &n
	}
	return nil
}

// confirmServer asks before a server gets no new connections.
func (c *call) confirmServer(yes bool, r control.ServerRequest) error {
	switch {
	case r.Force:
		return c.confirm(yes, lossy, fmt.Sprintf("%s gets no new connections, also where no other real server does.", r.Server))
	case r.Action == control.Drain:
		return c.confirm(yes, lossless, fmt.Sprintf("%s gets no new connections until tandem undrain %s.", r.Server, r.Server))
	}
	return nil
}

// setupChecks is the set-up of an order for health checks.
func setupChecks(action control.CheckAction) func(f *flag.FlagSet) func(*call) int {
	return func(f *flag.FlagSet) func(*call) int {
		out, timeout, services, reason := addFormat(f), addTimeout(f), addServices(f), addReason(f)
		kind := f.String("check", "", "only the check of that `KIND`, as HTTP_GET")
		transcript := new(bool)
		if action == control.CheckNow {
			f.BoolVar(transcript, "transcript", false, "show what was sent and heard")
		}
		return func(c *call) int {
			if err := timeoutOK(*timeout); err != nil {
				return c.fail(err)
			}
			if len(c.args) != 1 {
				return c.fail(fmt.Errorf("name one real server, as ADDRESS:PORT; see %s help %s", c.name, c.command))
			}
			r := control.CheckRequest{Action: action, Server: c.args[0], VirtualServers: *services, Check: *kind, Reason: *reason}
			resp, err := c.client(c.places).Check(context.Background(), r, *timeout)
			if err != nil {
				return c.unreachable(err)
			}
			done := true
			t := table{}
			for _, o := range resp.Outcomes {
				done = done && o.Done
				text := o.Text
				if o.Took > 0 {
					text += fmt.Sprintf(" (%s)", precise(o.Took))
				}
				t.row(o.VirtualServer, o.Server.String(), o.Check, o.State, text)
				if *transcript {
					for line := range strings.Lines(o.Transcript) {
						t.note(strings.TrimRight(line, "\r\n"))
					}
				}
			}
			return c.finish(*out, resp, done, func(b *bytes.Buffer) {
				t.to(b)
				warning(b, resp.Warning)
			})
		}
	}
}

func setupLogLevel(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	return func(c *call) int {
		if len(c.args) > 1 {
			return c.fail(fmt.Errorf("log-level takes one level, but there is also %q", c.args[1]))
		}
		ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
		defer cancel()
		client := c.client(c.places)
		ask := client.LogLevel
		if len(c.args) == 1 {
			ask = func(ctx context.Context) (control.LogLevelResponse, error) {
				return client.SetLogLevel(ctx, control.LogLevel(c.args[0]))
			}
		}
		resp, err := ask(ctx)
		if err != nil {
			return c.unreachable(err)
		}
		return c.finish(*out, resp, true, func(b *bytes.Buffer) {
			if resp.Before != "" {
				fmt.Fprintf(b, "log level %s, was %s; until the agent ends\n", resp.Level, resp.Before)
			} else {
				fmt.Fprintf(b, "log level %s\n", resp.Level)
			}
		})
	}
}

// finish prints the outcome of an order and returns the exit status for it.
func (c *call) finish(out format, resp any, done bool, text func(*bytes.Buffer)) int {
	var err error
	if out == formatJSON {
		err = c.printJSON(resp)
	} else {
		var b bytes.Buffer
		text(&b)
		err = c.show(b.Bytes())
	}
	switch {
	case err != nil:
		return c.fail(err)
	case !done:
		return exitCommandFailed
	}
	return exitOK
}

func doneWord(done bool) string {
	if done {
		return "done"
	}
	return "NOT DONE"
}

// to writes the table without an indent.
func (t *table) to(b *bytes.Buffer) {
	// A bytes.Buffer takes everything.
	_ = t.write(b, "")
}

// warning tells of an order that a restart would not know of.
func warning(b *bytes.Buffer, text string) {
	if text != "" {
		fmt.Fprintf(b, "Warning: %s\n", text)
	}
}
