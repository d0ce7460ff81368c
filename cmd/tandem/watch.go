package main

import (
	"bytes"
	"context"
	"fmt"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchPace is how often status --watch looks.
	watchPace = time.Second
	// home moves to the top, wipeLine and wipeRest take away what was there before.
	home     = "\x1b[H"
	wipeAll  = "\x1b[2J"
	wipeLine = "\x1b[K"
	wipeRest = "\x1b[J"
)

// watch shows what look gives, again and again until an interrupt: on a terminal
// in place, elsewhere one after the other.
func (c *call) watch(look func(context.Context) ([]byte, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	redraw := c.terminal(c.stdout)
	if redraw {
		fmt.Fprint(c.stdout, wipeAll)
	}
	for {
		text, err := look(ctx)
		if ctx.Err() != nil {
			return exitOK
		}
		if err != nil {
			// It may come back: that is what is watched for.
			text = fmt.Appendf(nil, "%s  %v\n", c.now().Local().Format(time.TimeOnly), err)
		}
		if c.colours() {
			text = colourful(text)
		}
		if redraw {
			text = bytes.ReplaceAll(text, []byte("\n"), []byte(wipeLine+"\n"))
			text = append(append([]byte(home), text...), wipeRest...)
		} else {
			text = append(text, '\n')
		}
		if _, err := c.stdout.Write(text); err != nil {
			return c.fail(err)
		}
		select {
		case <-ctx.Done():
			return exitOK
		case <-time.After(watchPace):
		}
	}
}
