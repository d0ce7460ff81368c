package logging

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/internal/journal"
)

// The names of sub-loggers whose messages syslog shows under the name of one of
// keepalived's processes: "Keepalived_vrrp" and "Keepalived_healthcheckers".
// All else is "Keepalived".
const (
	NameVRRP   = string(journal.VRRP)
	NameChecks = string(journal.Checks)
)

// Format is the form of messages on the console.
type Format uint8

// The formats: keepalived's lines, "<ctime>: message", or one JSON object a line.
const (
	Text Format = iota
	JSON
)

// Options say where messages go. Without Console and Syslog they go nowhere.
type Options struct {
	// Console writes to Stderr (keepalived's -l together with -n).
	Console bool
	// Syslog writes to SyslogPath (keepalived's default, -G turns it off).
	Syslog bool
	// Facility is syslog's (see ParseFacility).
	Facility Facility
	// Detail is how often -D was given: 1 or more shows debug messages, 2 or
	// more trace messages.
	Detail int
	Format Format
	// Stderr is os.Stderr and SyslogPath is /dev/log unless set.
	Stderr     io.Writer
	SyslogPath string
}

// Outputs are where the messages of a logger go. Close them at the end.
type Outputs struct {
	// Levels is how much they write.
	Levels *Levels

	pumps []*pump
	// limit is how long Close waits.
	limit time.Duration
}

// closeLimit is how long Close waits for what is queued to be written.
const closeLimit = time.Second

// Open returns a logger and its outputs. Messages are queued, up to a bound
// each, and written by a goroutine for each output; what finds the queue full
// is dropped, counted and reported there. A syslog daemon that is missing or
// starts again is waited for.
func Open(o Options) (hclog.Logger, *Outputs) {
	levels := newLevels(o.Detail)
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	out := &Outputs{Levels: levels, limit: closeLimit}
	if o.Console {
		if o.Stderr == nil {
			o.Stderr = os.Stderr
		}
		c := newPump(&console{w: o.Stderr, format: o.Format})
		out.pumps = append(out.pumps, c)
		if o.Format == JSON {
			log.RegisterSink(gate{levels, hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: rawWriter{c}, JSONFormat: true})})
		} else {
			log.RegisterSink(gate{levels, &adapter{pump: c}})
		}
	}
	if o.Syslog {
		if o.SyslogPath == "" {
			o.SyslogPath = "/dev/log"
		}
		s := newPump(newSyslog(o.SyslogPath, o.Facility))
		out.pumps = append(out.pumps, s)
		log.RegisterSink(gate{levels, &adapter{pump: s}})
	}
	return levelled{log, levels}, out
}

// Close writes what is queued, waits a second at most for that, and ends the
// outputs. What is logged later goes nowhere.
func (o *Outputs) Close() error {
	limit := time.After(o.limit)
	for _, p := range o.pumps {
		close(p.stop)
	}
	for _, p := range o.pumps {
		select {
		case <-p.done:
		case <-limit:
			return fmt.Errorf("close log: messages left unwritten after %v", o.limit)
		}
	}
	return nil
}

// NewSink returns a journal sink that logs each event's Text at the event's level.
// The rest of an event shows in JSON alone.
func NewSink(log hclog.Logger) journal.Sink {
	areas := map[journal.Area]hclog.Logger{
		journal.Main: log, journal.VRRP: log.ResetNamed(NameVRRP), journal.Checks: log.ResetNamed(NameChecks),
	}
	return func(e journal.Event) {
		to := areas[e.Area]
		if to == nil {
			to = log
		}
		to.Log(hclogLevel(e.Level), e.Text, "event", e)
	}
}

func hclogLevel(l journal.Level) hclog.Level {
	switch l {
	case journal.Debug:
		return hclog.Debug
	case journal.Warning:
		return hclog.Warn
	case journal.Error:
		return hclog.Error
	}
	return hclog.Info
}

// message is one line on its way to an output.
type message struct {
	at       time.Time
	severity severity
	// name is the logger's, which chooses the ident.
	name string
	text string
}

// adapter turns what hclog hands it into messages.
type adapter struct {
	pump *pump
}

// Accept implements hclog.SinkAdapter.
func (a *adapter) Accept(name string, level hclog.Level, msg string, args ...any) {
	m := message{at: time.Now(), severity: severityOf(level), name: name}
	var text strings.Builder
	text.WriteString(msg)
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			writeArg(&text, hclog.MissingKey, args[i])
			break
		}
		// An event's text has said all that is for people.
		if e, ok := args[i+1].(journal.Event); ok {
			m.at = e.Time
			continue
		}
		writeArg(&text, fmt.Sprint(args[i]), args[i+1])
	}
	m.text = oneLine(text.String())
	a.pump.put(m)
}

// writeArg appends " key=value", the value quoted where that makes it clearer.
func writeArg(w *strings.Builder, key string, value any) {
	var s string
	switch v := value.(type) {
	case hclog.Format:
		format, _ := v[0].(string)
		s = fmt.Sprintf(format, v[1:]...)
	default:
		s = fmt.Sprint(v)
	}
	if s == "" || strings.ContainsAny(s, " =\"\n") {
		s = strconv.Quote(s)
	}
	w.WriteString(" " + key + "=" + s)
}

// oneLine keeps text from looking like more than one message, and from
// commanding the terminal it is shown on.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimRight(s, "\n"))
}
