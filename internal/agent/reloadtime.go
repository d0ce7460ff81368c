package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
)

// reloadTick is how often the file with the time of the next reload is looked
// at, and how late a reload may be.
const reloadTick = time.Second

// reloadAt reads the moment of the next reload from the first line of a file
// (reload_time_file, keepalived.conf(5)): HH:MM:SS is the next time that the
// clock shows it, YY-MM-DD or YYYY-MM-DD before it make it that moment alone, and
// a Z behind it makes it UTC. A moment that is past is the zero Time.
func reloadAt(text string, now time.Time) (time.Time, error) {
	line, _, _ := strings.Cut(text, "\n")
	zone := now.Location()
	clock, utc := strings.CutSuffix(line, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"06-01-02 15:04:05", "2006-01-02 15:04:05"} {
		at, err := time.ParseInLocation(layout, clock, zone)
		if err != nil || len(clock) != len(layout) {
			continue
		}
		if !at.After(now) {
			return time.Time{}, nil
		}
		return at, nil
	}
	t, err := time.ParseInLocation("15:04:05", clock, zone)
	if err != nil || len(clock) != len("15:04:05") {
		return time.Time{}, fmt.Errorf("%q is no time: write HH:MM:SS or YYYY-MM-DD HH:MM:SS, and a Z behind it for UTC", line)
	}
	today := now.In(zone)
	at := time.Date(today.Year(), today.Month(), today.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
	if !at.After(now) {
		at = time.Date(today.Year(), today.Month(), today.Day()+1, t.Hour(), t.Minute(), t.Second(), 0, zone)
	}
	return at, nil
}

// reloadClock follows the file that holds the time of the next reload.
type reloadClock struct {
	path string
	seen os.FileInfo
	due  time.Time
}

// look looks at the file and says when a reload is due, zero for never. What is
// wrong with the file is said once.
func (c *reloadClock) look(path string, now time.Time) (due time.Time, news string) {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		if !c.due.IsZero() {
			news = "the reload at " + c.due.Format(time.DateTime) + " is called off"
		}
		*c = reloadClock{path: path}
		return time.Time{}, news
	}
	if c.path == path && c.seen != nil && os.SameFile(info, c.seen) && info.ModTime().Equal(c.seen.ModTime()) && info.Size() == c.seen.Size() {
		return c.due, ""
	}
	*c = reloadClock{path: path, seen: info}
	text, err := firstBytes(path)
	if err == nil {
		c.due, err = reloadAt(text, now)
	}
	switch {
	case err != nil:
		return time.Time{}, "reload_time_file " + path + ": " + err.Error()
	case c.due.IsZero():
		return time.Time{}, "reload_time_file " + path + " names a moment that is past"
	}
	return c.due, "a reload is due at " + c.due.Format(time.DateTime)
}

// firstBytes is what stands at the beginning of a file.
func firstBytes(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	return string(b), err
}

// reloadByClock reloads when the file of reload_time_file says so. The file is
// removed first, unless reload_repeat asks for the same time each day.
func (a *Agent) reloadByClock(ctx context.Context) error {
	tick := time.NewTicker(reloadTick)
	defer tick.Stop()
	var c reloadClock
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		conf := a.conf.Load()
		if conf == nil {
			continue
		}
		r := conf.config.Global.Reload
		due, news := c.look(r.TimeFile, time.Now())
		if news != "" {
			a.journal.Add(journal.Event{Kind: "reload", Level: journal.Notice, Text: news})
		}
		if due.IsZero() || time.Now().Before(due) {
			continue
		}
		// What stays is looked at anew, and is of tomorrow.
		c = reloadClock{}
		if !r.Repeat {
			if err := os.Remove(r.TimeFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				a.journal.Add(journal.Event{Kind: "reload", Level: journal.Warning, Text: "reload_time_file stays: " + err.Error()})
			}
		}
		a.Reload(ctx, control.ReloadRequest{})
	}
}

// markReading makes the file that says that the configuration is being read
// (reload_file), or truncates the one that is there; done removes it.
func (a *Agent) markReading(cfg *config.Config) (done func()) {
	path := cfg.Global.Reload.MarkFile
	switch path {
	case "":
		return func() {}
	case "-":
		path = a.opts.ReloadFile
	}
	trouble := func(err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.opts.Log.Warn("reload_file: " + err.Error())
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		err = f.Close()
	}
	trouble(err)
	return func() { trouble(os.Remove(path)) }
}
