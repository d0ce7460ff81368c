package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// The limits of a stream of events.
const (
	// streamQueue is how many events may wait for a reader; one that falls
	// behind is cut off, and comes back with the number of its last event.
	streamQueue = 256
	// maxStreams is how many readers there may be on a listener.
	maxStreams = 32
	// heartbeat is how often a silent stream says that it is there.
	heartbeat = 15 * time.Second
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

// maxEvents is how many events an answer has at most.
const maxEvents = 10000

func events() route {
	rt := query(pathEvents, "events", "What happened and why, oldest first. With Accept: text/event-stream, also what happens from now on, "+
		"as server-sent events; Last-Event-ID is then the same as after.", []parameter{
		{name: "after", kind: "integer", about: "Only events with a higher sequence number."},
		{name: "since", kind: "time", about: "Only events since then: a moment as 2026-01-02T15:04:05Z, or how long ago as 10m."},
		{name: "kind", kind: "string", list: true, about: "Only events of that kind."},
		{name: "subject", kind: "string", list: true, about: "Only events whose subject has that in it."},
		{name: "area", kind: "string", list: true, choices: []string{"main", "vrrp", "checks"}, about: "Only events of that part of the program."},
		{name: "level", kind: "string", choices: []string{"debug", "info", "notice", "warning", "error"}, about: "Only events that are at least so loud."},
		{name: "limit", kind: "integer", about: "Only so many, the last ones."},
	}, func(x *exchange) (eventsBody, error) { return eventsBody{}, nil })
	rt.stream = true
	rt.serve = (*exchange).events
	return rt
}

// EventQuery chooses events.
type EventQuery struct {
	journal.Filter
	// Limit is how many at most, the last ones; 0 for all.
	Limit int
}

// values is the query of a request for them.
func (q EventQuery) values() url.Values {
	v := url.Values{}
	if q.After > 0 {
		v.Set("after", strconv.FormatUint(q.After, 10))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Level > 0 {
		v.Set("level", q.Level.String())
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	for name, list := range map[string][]string{"kind": q.Kinds, "subject": q.Subjects, "area": q.Areas} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	return v
}

// eventQuery reads what values made; now is what since may count back from.
func eventQuery(v url.Values, now time.Time) (EventQuery, error) {
	q := EventQuery{Filter: journal.Filter{Kinds: v["kind"], Subjects: v["subject"], Areas: v["area"]}}
	var err error
	if text := v.Get("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, badRequest{fmt.Errorf("after %q is not a sequence number", text)}
		}
	}
	if text := v.Get("since"); text != "" {
		if q.Since, err = ParseSince(text, now); err != nil {
			return q, badRequest{err}
		}
	}
	if text := v.Get("level"); text != "" {
		if err := q.Level.UnmarshalText([]byte(text)); err != nil {
			return q, badRequest{fmt.Errorf("level: %w", err)}
		}
	}
	for _, a := range q.Areas {
		if a != "main" && a != "vrrp" && a != "checks" {
			return q, badRequest{fmt.Errorf("area %q is not one of main, vrrp, checks", a)}
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit <= 0 || q.Limit > maxEvents {
			return q, badRequest{fmt.Errorf("limit %q is not a number from 1 to %d", text, maxEvents)}
		}
	}
	return q, nil
}

// ParseSince reads a moment (RFC 3339), or how long before now ("10m").
func ParseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("since %q is neither a moment as 2026-01-02T15:04:05Z nor a time as 10m", text)
}

// last keeps the last n of the events.
func last(events []journal.Event, n int) []journal.Event {
	if n > 0 && len(events) > n {
		return events[len(events)-n:]
	}
	return events
}

// events answers with what is kept or, where a stream is asked for, with what
// comes as well.
func (x *exchange) events() (any, error) {
	q, err := eventQuery(x.r.URL.Query(), time.Now())
	if err != nil {
		return nil, err
	}
	j := x.server.agent.Journal()
	if !strings.Contains(x.r.Header.Get("Accept"), eventStream) {
		return eventsBody{Events: last(q.Select(j.Events(q.After)), q.Limit)}, nil
	}
	if text := x.r.Header.Get("Last-Event-ID"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, badRequest{fmt.Errorf("Last-Event-ID %q is not a sequence number", text)}
		}
	}
	if n := x.server.streams.Add(1); n > maxStreams {
		x.server.streams.Add(-1)
		return nil, busy{fmt.Errorf("%d streams of events are open, which is all there may be", maxStreams)}
	}
	defer x.server.streams.Add(-1)
	x.stream(j, q)
	return nil, nil
}

// stream writes events until the client goes, or cannot keep up.
func (x *exchange) stream(j *journal.Journal, q EventQuery) {
	kept, s := j.Subscribe(q.After, streamQueue)
	defer s.Close()
	x.conn.at(streaming)
	h := x.w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	x.w.WriteHeader(http.StatusOK)
	out := eventWriter{w: x.w, control: http.NewResponseController(x.w)}
	for _, e := range last(q.Select(kept), q.Limit) {
		out.event(e)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for out.flush(); out.err == nil && s.Dropped() == 0; out.flush() {
		select {
		case e, open := <-s.Events():
			if !open {
				return
			}
			if q.Match(e) {
				out.event(e)
			}
		case <-beat.C:
			out.text(": here\n\n")
		case <-x.r.Context().Done():
			return
		}
	}
	if out.err == nil {
		out.text("event: behind\ndata: {}\n\n")
		out.flush()
	}
}

// eventWriter writes server-sent events, and gives up on a reader that takes
// none for writeLimit.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (o *eventWriter) event(e journal.Event) {
	b, err := json.Marshal(e)
	if err != nil {
		o.err = err
		return
	}
	o.text(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, b))
}

func (o *eventWriter) text(s string) {
	if o.err != nil {
		return
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(writeLimit))
	_, o.err = o.w.Write([]byte(s))
}

func (o *eventWriter) flush() {
	if o.err == nil {
		o.err = o.control.Flush()
	}
}
