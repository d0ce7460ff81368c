package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
)

// returnPace is how often a follower tries to come back to an agent that has
// ended the stream, as one that is started anew does.
const returnPace = time.Second

func setupEvents(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	var q control.EventQuery
	follow := new(bool)
	for _, name := range []string{"f", "follow"} {
		f.BoolVar(follow, name, false, "go on with what happens, until an interrupt")
	}
	f.Uint64Var(&q.After, "after", 0, "only events with a sequence number above `N`")
	since := f.String("since", "", "only events since `TIME`: 2026-01-02T15:04, or 10m ago")
	f.Func("kind", "only events of that `KIND`; may be repeated", appendTo(&q.Kinds))
	f.Func("subject", "only events whose subject has `TEXT` in it; may be repeated", appendTo(&q.Subjects))
	f.Func("area", "only events of that `AREA`: main, vrrp or checks; may be repeated", appendTo(&q.Areas))
	f.TextVar(&q.Level, "level", journal.Debug, "only events at least as loud as `LEVEL`: debug, info, notice, warning or error")
	f.IntVar(&q.Limit, "n", 0, "only the last `N`")
	return func(c *call) int {
		if *since != "" {
			var err error
			if q.Since, err = control.ParseSince(*since, c.now()); err != nil {
				return c.fail(err)
			}
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		if *follow {
			return c.follow(ctx, q, *out)
		}
		events, err := c.client(c.places).Events(ctx, q)
		if err != nil {
			return c.unreachable(err)
		}
		for _, e := range events {
			if err := c.printEvent(e, *out); err != nil {
				return c.fail(err)
			}
		}
		return exitOK
	}
}

// appendTo collects the values of a flag that may be repeated.
func appendTo(list *[]string) func(string) error {
	return func(v string) error {
		*list = append(*list, v)
		return nil
	}
}

// follow prints events as they come until ctx is done. An agent that ends, or
// cuts a slow reader off, is waited for: nothing that it kept is missed.
func (c *call) follow(ctx context.Context, q control.EventQuery, out format) int {
	client := c.client(c.places)
	met := false
	for {
		var failed error
		err := client.Follow(ctx, q, func(e journal.Event) error {
			q.After, q.Limit, met = e.Seq, 0, true
			failed = c.printEvent(e, out)
			return failed
		})
		switch {
		case ctx.Err() != nil:
			return exitOK
		case failed != nil:
			return c.fail(failed)
		case errors.Is(err, control.ErrBehind):
			continue
		case errors.Is(err, io.EOF):
			met = true
		case !met:
			return c.unreachable(err)
		}
		select {
		case <-ctx.Done():
			return exitOK
		case <-time.After(returnPace):
		}
	}
}

// printEvent writes one event on a line.
func (c *call) printEvent(e journal.Event, out format) error {
	if out == formatJSON {
		return json.NewEncoder(c.stdout).Encode(e)
	}
	line := fmt.Sprintf("%s  %-7s %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Level, e.Text)
	if e.Cause != "" {
		line += ": " + e.Cause
	}
	_, err := fmt.Fprintln(c.stdout, line)
	return err
}
