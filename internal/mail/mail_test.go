package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// started is a queue that runs until the test ends.
func started(t *testing.T, r Relay) (*Queue, func() string) {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	q := NewQueue(hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &mu, DisableTime: true}))
	q.SetRelay(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	return q, func() string { mu.Lock(); defer mu.Unlock(); return log.String() }
}

// The dialogue and the headers are keepalived 2.2.7's.
func TestTheDialogue(t *testing.T) {
	s := newSink(t, "127.0.0.1:0")
	q, _ := started(t, s.relay())
	now := time.Now() // what is older than an hour is not sent
	q.Send(Message{Subject: "[LB1] VRRP Instance VI_1 - Entering MASTER state", Body: "=> VRRP Instance is now owning VRRP VIPs <=\n", Time: now})
	until(t, "the farewell", func() bool { return slices.Contains(s.said(), "QUIT") })
	want := []string{
		"greeting", "HELO lb1.example", "MAIL FROM:<lb@example.com>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>", "DATA",
		"message:Date: " + now.Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\r\nFrom: lb@example.com\r\n" +
			"Subject: [LB1] VRRP Instance VI_1 - Entering MASTER state\r\nX-Mailer: Keepalived\r\n" +
			"To: a@example.com, b@example.com\r\n\r\n=> VRRP Instance is now owning VRRP VIPs <=\r\n\r\n",
		"QUIT",
	}
	if diff := cmp.Diff(want, s.said()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	until(t, "it is counted", func() bool { st := q.Status(); return st.Sent == 1 && st.Waiting == 0 })
}

func TestManyGoOverOneConnectionInOrder(t *testing.T) {
	s := newSink(t, "127.0.0.1:0")
	q, _ := started(t, s.relay())
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("s", i))
		q.Send(Message{Subject: want[i], Body: ".\n..x\n", Time: time.Now()})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.messages()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connections > 10 {
		t.Errorf("%d connections", s.connections)
	}
}

// Whatever becomes of a connection, what was not taken is tried again.
func TestTriedAgain(t *testing.T) {
	for name, first := range map[string]struct{ line, answer string }{
		"closed at the greeting":   {"greeting", "drop"},
		"busy at the greeting":     {"greeting", "421 too busy"},
		"closed at HELO":           {"HELO lb1.example", "drop"},
		"sender not now":           {"MAIL FROM:<lb@example.com>", "451 not now"},
		"recipient not now":        {"RCPT TO:<a@example.com>", "450 not now"},
		"closed before the letter": {"DATA", "drop"},
		"no answer at all":         {"DATA", "hang"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, "127.0.0.1:0")
			failed := make(chan struct{})
			fail := sync.OnceFunc(func() { close(failed) })
			s.answering(func(line string) string {
				select {
				case <-failed:
					return ""
				default:
				}
				if line != first.line {
					return ""
				}
				fail()
				return first.answer
			})
			r := s.relay()
			if first.answer == "hang" {
				r.Timeout = time.Second
			}
			q, log := started(t, r)
			q.Send(Message{Subject: "one", Time: time.Now()})
			// The next attempt has all the time that a busy machine may need.
			<-failed
			q.SetRelay(s.relay())
			until(t, "it is taken", func() bool { return q.Status().Sent == 1 })
			if got := s.messages(); !slices.Equal(got, []string{"one"}) {
				t.Errorf("taken: %v", got)
			}
			if q.Status().Retries == 0 || !strings.Contains(log(), "e-mail cannot be sent, trying again") {
				t.Errorf("%+v, logged %s", q.Status(), log())
			}
		})
	}
}

// What the relay will never take does not hold up the rest.
func TestRefused(t *testing.T) {
	s := newSink(t, "127.0.0.1:0")
	s.answering(func(line string) string {
		switch {
		case line == "RCPT TO:<b@example.com>":
			return "550 who is that"
		case line == "DATA" && len(s.lines) < 6:
			return "554 never"
		}
		return ""
	})
	q, log := started(t, s.relay())
	q.Send(Message{Subject: "bad", Time: time.Now()})
	q.Send(Message{Subject: "good", Time: time.Now()})
	until(t, "both are done with", func() bool { st := q.Status(); return st.Sent == 1 && st.Refused == 1 })
	if got := s.messages(); !slices.Equal(got, []string{"good"}) {
		t.Errorf("taken: %v", got)
	}
	for _, want := range []string{"e-mail was not taken: subject=bad", "554", "recipient too few", "550"} {
		if !strings.Contains(log(), want) {
			t.Errorf("log lacks %q:\n%s", want, log())
		}
	}
}

func TestARelayThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := NewQueue(hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}))
		q.Send(Message{Subject: "nobody is to have it", Time: time.Now()})
		// The documentation's network: nothing in the bubble is asked, since the
		// name cannot be resolved without a server.
		q.SetRelay(Relay{Server: "127.0.0.1", Port: 1, To: []string{"a"}, Timeout: time.Second})
		for i := range queueLength + 5 {
			q.Send(Message{Subject: fmt.Sprint("s", i), Time: time.Now()})
		}
		if st := q.Status(); st.Dropped != 5 || st.Waiting != queueLength {
			t.Errorf("%+v", st)
		}
		if q.waiting[0].Subject != "s5" {
			t.Errorf("the oldest is %s", q.waiting[0].Subject)
		}
		time.Sleep(maxAge + time.Second)
		q.expire()
		if st := q.Status(); st.Waiting != 0 || st.Dropped != queueLength+5 {
			t.Errorf("%+v", st)
		}
		if err := q.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"too many wait", "it has waited for too long"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log lacks %q", want)
			}
		}
	})
}

func TestDrainIsBounded(t *testing.T) {
	s := newSink(t, "127.0.0.1:0")
	s.answering(func(line string) string { return map[bool]string{true: "hang"}[line == "greeting"] })
	q, _ := started(t, s.relay())
	q.Send(Message{Subject: "x", Time: time.Now()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := q.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNothingBeginsAHeaderOfItsOwn(t *testing.T) {
	text := Message{Subject: "a\r\nBcc: x@example.com", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}.text(Relay{From: "f\nX: y", To: []string{"t\r\n\r\nbody"}})
	if strings.Contains(text, "\nBcc") || strings.Contains(text, "\nX:") || strings.Contains(text, "\r\n\r\nbody") {
		t.Errorf("%q", text)
	}
	for in, want := range map[string]string{"a@b": "a@b", "A B <a@b>": "a@b", "<a@b>": "a@b", "a@b\r\nDATA": "a@b  DATA"} {
		if got := address(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// A relay by its name, as well as by its address.
func TestRelayByName(t *testing.T) {
	s := newSink(t, "127.0.0.1:0")
	r := s.relay()
	r.Server = "localhost"
	q, _ := started(t, r)
	q.Send(Message{Subject: "x", Time: time.Now()})
	until(t, "it is taken", func() bool { return q.Status().Sent == 1 })
}
