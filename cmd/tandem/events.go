package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/journal"
)

// followPace is how often events -f asks.
const followPace = 500 * time.Millisecond

func setupEvents(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	follow := f.Bool("f", false, "go on with what happens, until an interrupt")
	after := f.Uint64("after", 0, "only events with a sequence number above `N`")
	return func(c *call) int {
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		client := c.client(c.places)
		last := *after
		for {
			events, err := client.Events(ctx, last)
			if ctx.Err() != nil {
				return exitOK
			}
			if err != nil {
				return c.unreachable(err)
			}
			for _, e := range events {
				last = e.Seq
				if err := c.printEvent(e, *out); err != nil {
					return c.fail(err)
				}
			}
			if !*follow {
				return exitOK
			}
			select {
			case <-ctx.Done():
				return exitOK
			case <-time.After(followPace):
			}
		}
	}
}

// printEvent writes one event on a line.
func (c *call) printEvent(e journal.Event, out format) error {
	if out == formatJSON {
		return json.NewEncoder(c.stdout).Encode(e)
	}
	line := fmt.Sprintf("%s  %-7s %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), levelWord(e.Level), e.Text)
	if e.Cause != "" {
		line += ": " + e.Cause
	}
	_, err := fmt.Fprintln(c.stdout, line)
	return err
}

// levelWord names a level.
func levelWord(l journal.Level) string {
	switch l {
	case journal.Debug:
		return "debug"
	case journal.Info:
		return "info"
	case journal.Notice:
		return "notice"
	case journal.Warning:
		return "warning"
	}
	return "error"
}
