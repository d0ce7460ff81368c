package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/tandem-ha/tandem/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer is where a console writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// openPatient opens outputs that a busy machine has time to write.
func openPatient(o Options) (hclog.Logger, *Outputs) {
	log, out := Open(o)
	out.limit = time.Minute
	return log, out
}

// shown logs through what o says and returns what arrived at the console.
func shown(t *testing.T, o Options, use func(hclog.Logger)) string {
	t.Helper()
	var b buffer
	o.Console, o.Stderr = true, &b
	log, out := openPatient(o)
	use(log)
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	return b.String()
}

// recent is whether a date is one of the last ten minutes.
func recent(date string) bool {
	for at, n := time.Now(), 0; n < 600; at, n = at.Add(-time.Second), n+1 {
		if at.Format(time.ANSIC) == date {
			return true
		}
	}
	return false
}

// bare takes the dates off lines of the console, and fails on a line without.
func bare(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		if len(line) < 26 || line[24:26] != ": " {
			t.Fatalf("no date in %q", line)
		}
		if !recent(line[:24]) {
			t.Errorf("date in %q at %v", line, time.Now())
		}
		out.WriteString(line[26:])
	}
	return out.String()
}

func TestConsole(t *testing.T) {
	got := bare(t, shown(t, Options{}, func(log hclog.Logger) {
		log.Info("plain")
		log.Named("vrrp").With("interface", "eth0").Warn("send failed", "error", errors.New("no route"), "count", 3)
		log.Error("odd", "lonely")
		log.Info("formatted", "n", hclog.Fmt("%03d", 7), "empty", "")
		log.Info("one\nline\x1b[2J\u009b only\r\n")
		log.Debug("too quiet")
	}))
	want := "plain\nsend failed interface=eth0 error=\"no route\" count=3\nodd EXTRA_VALUE_AT_END=lonely\n" +
		"formatted n=007 empty=\"\"\none line [2J  only\n"
	want = strings.ReplaceAll(want, "only\n", "only \n")
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestDetail(t *testing.T) {
	for detail, want := range []string{"info\n", "info\ndebug\n", "info\ndebug\ntrace\n", "info\ndebug\ntrace\n"} {
		got := bare(t, shown(t, Options{Detail: detail}, func(log hclog.Logger) {
			log.Info("info")
			log.Debug("debug")
			log.Trace("trace")
		}))
		if got != want {
			t.Errorf("-D given %d times shows %q, want %q", detail, got, want)
		}
	}
}

func TestSink(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	events := func(log hclog.Logger) {
		sink := NewSink(log)
		for level := journal.Debug; level <= journal.Error; level++ {
			sink(journal.Event{Seq: 7, Time: at, Level: level, Kind: "state", Text: fmt.Sprintf("(VI_1) level %d", level), Cause: "no advert", Area: journal.VRRP})
		}
	}
	quiet := shown(t, Options{}, func(log hclog.Logger) { events(log) })
	if want := strings.Repeat("Fri Jan  2 03:04:05 2026: (VI_1) level N\n", 4); strings.NewReplacer("1\n", "N\n", "2\n", "N\n", "3\n", "N\n", "4\n", "N\n").Replace(quiet) != want {
		t.Errorf("without -D: %q", quiet)
	}
	loud := shown(t, Options{Detail: 1}, func(log hclog.Logger) { events(log) })
	if loud != "Fri Jan  2 03:04:05 2026: (VI_1) level 0\n"+quiet {
		t.Errorf("with -D: %q", loud)
	}
}

// What is logged can be changed while it is, for the console and for JSON.
func TestLevels(t *testing.T) {
	for _, format := range []Format{Text, JSON} {
		var b buffer
		log, out := openPatient(Options{Console: true, Stderr: &b, Format: format})
		if got := out.Levels.Get(); got != "info" {
			t.Errorf("it begins with %q", got)
		}
		for _, level := range []string{"info", "debug", "trace", "warning", "error", "loud"} {
			out.Levels.Set(level)
			for name, say := range map[string]func(string, ...any){"trace": log.Trace, "debug": log.Debug, "info": log.Info, "warning": log.Warn, "error": log.Error} {
				say("level " + level + " shows " + name + ".")
			}
			if debug, trace := level == "debug" || level == "trace", level == "trace"; log.IsDebug() != debug || log.IsTrace() != trace {
				t.Errorf("with level %s: debug is %v, trace %v", level, log.IsDebug(), log.IsTrace())
			}
		}
		if got := out.Levels.Set("info"); got != "error" {
			t.Errorf("at last it was %q", got)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
		for level, want := range map[string]string{"info": "info warning error", "debug": "debug info warning error",
			"trace": "trace debug info warning error", "warning": "warning error", "error": "error", "loud": "error"} {
			for _, name := range strings.Fields("trace debug info warning error") {
				shown := strings.Contains(b.String(), "level "+level+" shows "+name+".")
				if shown != slices.Contains(strings.Fields(want), name) {
					t.Errorf("format %v: with level %s, %s is shown: %v", format, level, name, shown)
				}
			}
		}
	}
}

func TestJSON(t *testing.T) {
	text := shown(t, Options{Format: JSON}, func(log hclog.Logger) {
		NewSink(log)(journal.Event{Seq: 7, Level: journal.Warning, Kind: "state", Text: "(VI_1) Entering FAULT STATE", Area: journal.VRRP, Data: journal.StateChange{Name: "VI_1", To: journal.Fault}})
		log.Info("two\nlines", "n", 1)
		log.Debug("too quiet")
	})
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), text)
	}
	var e struct {
		Level   string `json:"@level"`
		Message string `json:"@message"`
		Module  string `json:"@module"`
		Event   struct {
			Seq  int
			Data struct{ Name, To string }
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil {
		t.Fatal(err)
	}
	if e.Level != "warn" || e.Message != "(VI_1) Entering FAULT STATE" || e.Module != "vrrp" || e.Event.Seq != 7 || e.Event.Data.To != "FAULT" {
		t.Errorf("%+v of %s", e, lines[0])
	}
	if !strings.Contains(lines[1], `"two\nlines"`) || !strings.Contains(lines[1], `"n":1`) {
		t.Error(lines[1])
	}
}

func TestNowhere(t *testing.T) {
	log, out := openPatient(Options{})
	log.Error("heard by nobody")
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func TestLogAfterClose(t *testing.T) {
	var b buffer
	log, out := openPatient(Options{Console: true, Stderr: &b})
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	for range queueSize + 10 {
		log.Info("late")
	}
	if b.String() != "" {
		t.Errorf("wrote %q", b.String())
	}
}

// A console that nobody reads keeps no logger waiting, and says at the end what
// was lost.
func TestConsoleThatBlocks(t *testing.T) {
	r, w := io.Pipe()
	log, out := openPatient(Options{Console: true, Stderr: w})
	const more = 100
	// The first is on its way to the pipe, and may or may not be in the queue.
	for range queueSize + more {
		log.Info("message")
	}
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		read <- string(b)
	}()
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	w.Close()
	text := bare(t, <-read)
	n := strings.Count(text, "message\n")
	if n < queueSize || n > queueSize+1 || !strings.Contains(text, fmt.Sprintf("\n%d log messages were dropped", queueSize+more-n)) {
		t.Errorf("%d messages, and %s", n, strings.ReplaceAll(text, "message\n", ""))
	}
}

func TestCloseIsBounded(t *testing.T) {
	r, w := io.Pipe()
	log, out := Open(Options{Console: true, Stderr: w})
	log.Info("message")
	if err := out.Close(); err == nil {
		t.Error("closed without a message of what was not written")
	}
	r.Close()
	<-out.pumps[0].done
}
