package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/daemon"
	"github.com/tandem-ha/tandem/internal/dump"
	"github.com/tandem-ha/tandem/internal/wording"
)

// watchman carries out what signals ask for while the agent runs.
type watchman struct {
	agent    agent
	log      hclog.Logger
	notifier daemon.Notifier
	dumper   dumper
	// reload wakes the reloader; one request that waits stands for all that
	// come while a reload runs.
	reload chan struct{}
}

func newWatchman(a agent, log hclog.Logger, n daemon.Notifier, d dumper) *watchman {
	return &watchman{agent: a, log: log, notifier: n, dumper: d, reload: make(chan struct{}, 1)}
}

// start begins to serve signals. The first TERM or INT calls cancel, the second
// stops the agent at once. Stop ends it and waits for what is under way.
func (w *watchman) start(ignoreInterrupt bool, cancel context.CancelFunc) (stop func()) {
	wanted := []os.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, signalJSON, signalStatsClear}
	// A signal that is caught and thrown away goes back to its default in the
	// scripts; one that is ignored would be ignored by them as well.
	ignored := []os.Signal{unix.SIGPIPE}
	if ignoreInterrupt {
		ignored = append(ignored, unix.SIGINT)
	} else {
		wanted = append(wanted, unix.SIGINT)
	}
	void := make(chan os.Signal, 1)
	signal.Notify(void, ignored...)
	// Room for a burst: package signal drops what does not fit.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, wanted...)
	ctx, end := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { w.reloads(ctx) })
	work.Go(func() { w.serve(ctx, signals, cancel) })
	return func() {
		signal.Stop(signals)
		signal.Stop(void)
		end()
		work.Wait()
	}
}

// serve takes the signals in turn until ctx is done.
func (w *watchman) serve(ctx context.Context, signals <-chan os.Signal, cancel context.CancelFunc) {
	stopping := false
	for {
		var s os.Signal
		select {
		case <-ctx.Done():
			return
		case s = <-signals:
		}
		switch s {
		case unix.SIGHUP:
			w.askReload()
		case unix.SIGTERM, unix.SIGINT:
			if stopping {
				w.log.Info("Stopping at once")
				w.agent.StopNow()
				continue
			}
			stopping = true
			tell(w.log, w.notifier.Stopping())
			cancel()
		default:
			w.dump(s)
		}
	}
}

// askReload queues a reload, unless one is queued already.
func (w *watchman) askReload() {
	select {
	case w.reload <- struct{}{}:
	default:
		w.log.Info("Reload already queued")
	}
}

// reloads carries out reloads one after the other.
func (w *watchman) reloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.reload:
		}
		w.log.Info("Reloading ...")
		tell(w.log, w.notifier.Reloading())
		r := w.agent.Reload(ctx, control.ReloadRequest{})
		status := reloadStatus(r)
		if !r.OK {
			// The agent logs the outcome, and what is wrong in a configuration
			// that it takes; who sent the signal sees only the log.
			for _, d := range r.Diagnostics {
				if d.Severity != config.Notice {
					w.log.Error(wording.Diagnostic(d))
				}
			}
		}
		// Also after a failure: the service runs, with the old configuration.
		tell(w.log, w.notifier.Ready(status))
	}
}

// reloadStatus is one line on how a reload ended.
func reloadStatus(r control.ReloadResponse) string {
	switch {
	case !r.OK:
		return "Reload failed, nothing was changed: " + wording.ReloadReason(r)
	case !r.Changed:
		return "Reload complete: nothing to change"
	}
	return "Reload complete"
}

// dump writes the files that a signal asks for.
func (w *watchman) dump(s os.Signal) {
	status := w.agent.Status()
	var err error
	switch s {
	case unix.SIGUSR1:
		w.log.Info("Printing VRRP data for process(" + fmt.Sprint(os.Getpid()) + ") on signal")
		err = w.dumper.data(status)
	case unix.SIGUSR2, signalStatsClear:
		w.log.Info("Printing VRRP stats for process(" + fmt.Sprint(os.Getpid()) + ") on signal")
		err = w.dumper.stats(status)
		if s == signalStatsClear {
			w.dumper.since = dump.BaselineOf(status)
		}
	case signalJSON:
		w.log.Info("Printing VRRP as json for process(" + fmt.Sprint(os.Getpid()) + ") on signal")
		err = w.dumper.json(status)
	}
	if err != nil {
		w.log.Error(err.Error())
	}
}

// dumper writes keepalived's dump files.
type dumper struct {
	folder string
	// umask is the command line's, nil for the configuration's.
	umask *int
	// since is what the counters were when they were last cleared.
	since dump.Baseline
}

// mode is the mode of the files.
func (d *dumper) mode(s control.Status) fs.FileMode {
	mask := defaultUmask
	switch {
	case d.umask != nil:
		mask = *d.umask
	case s.Config != nil:
		mask = s.Config.Process.Umask
	}
	return fs.FileMode(0o666 &^ mask)
}

// data writes a file for each of keepalived's processes that there would be.
func (d *dumper) data(s control.Status) error {
	type file struct {
		part    dump.Part
		content func(control.Status) []byte
	}
	// Monitoring asks for the first.
	files := []file{{dump.VRRP, dump.Data}, {dump.Parent, dump.ParentData}}
	if len(s.Services) > 0 {
		files = append(files, file{dump.Check, dump.CheckData})
	}
	if len(s.BFD) > 0 {
		files = append(files, file{dump.BFD, dump.BFDData})
	}
	for _, f := range files {
		if err := dump.Write(dump.DataFile(d.folder, s.Config, f.part), d.mode(s), f.content(s)); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) stats(s control.Status) error {
	return dump.Write(filepath.Join(d.folder, dump.StatsFile), d.mode(s), dump.Stats(d.since.Since(s)))
}

func (d *dumper) json(s control.Status) error {
	if len(s.Instances) == 0 {
		// keepalived writes nothing where there is no instance.
		return nil
	}
	content, err := dump.JSON(d.since.Since(s))
	if err != nil {
		return err
	}
	return dump.Write(filepath.Join(d.folder, dump.JSONFile), dump.JSONMode, content)
}
