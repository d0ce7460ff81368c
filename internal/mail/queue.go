package mail

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// queueLength is how many messages wait for a relay that does not answer.
	queueLength = 256
	// maxAge is how long a message is worth sending.
	maxAge = time.Hour
	// firstPause is the wait after the first failure; it doubles with each
	// further one up to lastPause.
	firstPause = time.Second
	lastPause  = 5 * time.Minute
)

// Queue sends messages in order. One that cannot be sent is tried again, at
// first after a second and at most every five minutes, for an hour. Where too
// many wait the oldest is dropped. Whatever is not sent is counted and logged.
type Queue struct {
	log hclog.Logger

	mu      sync.Mutex
	relay   Relay
	waiting []Message
	busy    bool
	status  Status
	idle    chan struct{}
	kick    chan struct{}
}

// Status counts what became of messages.
type Status struct {
	Sent    uint64 `json:"sent"`
	Retries uint64 `json:"retries"`
	// Refused by the relay, Dropped because too many or for too long waited.
	Refused uint64 `json:"refused"`
	Dropped uint64 `json:"dropped"`
	Waiting int    `json:"waiting"`
	// Trouble is why the last attempt failed, empty when it did not.
	Trouble string `json:"trouble,omitempty"`
}

// NewQueue returns a queue that sends once Run is called and SetRelay has named
// a relay.
func NewQueue(log hclog.Logger) *Queue {
	idle := make(chan struct{})
	close(idle)
	return &Queue{log: log, idle: idle, kick: make(chan struct{}, 1)}
}

// SetRelay says whom messages go to from now on, those that wait included.
func (q *Queue) SetRelay(r Relay) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.relay = r
	q.wake()
}

// Send takes a message. It does not wait.
func (q *Queue) Send(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.relay.Server == "" || len(q.relay.To) == 0 {
		return
	}
	if len(q.waiting) == 0 && !q.busy {
		q.idle = make(chan struct{})
	}
	if len(q.waiting) >= queueLength {
		q.drop(q.waiting[0], "too many wait")
		q.waiting = q.waiting[1:]
	}
	q.waiting = append(q.waiting, m)
	q.wake()
}

// drop counts a message that will not be sent.
func (q *Queue) drop(m Message, why string) {
	q.status.Dropped++
	q.log.Warn("e-mail dropped, "+why, "subject", m.Subject, "dropped", q.status.Dropped)
}

func (q *Queue) wake() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// Status is what has become of the messages so far.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.status
	s.Waiting = len(q.waiting)
	if q.busy {
		s.Waiting++
	}
	return s
}

// Drain waits until nothing waits any more, or until ctx is done.
func (q *Queue) Drain(ctx context.Context) error {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run sends what is queued until ctx is done.
func (q *Queue) Run(ctx context.Context) error {
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-q.kick:
		}
		for q.pending() {
			sent, err := q.deliver(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			q.report(err, pause)
			if sent > 0 {
				pause = firstPause
			}
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
		}
	}
}

func (q *Queue) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0
}

// report tells of an attempt that failed, once while it stays the same.
func (q *Queue) report(err error, pause time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.status.Trouble = ""
		return
	}
	q.status.Retries++
	if text := err.Error(); text != q.status.Trouble {
		q.status.Trouble = text
		q.log.Warn("e-mail cannot be sent, trying again", "relay", q.relay.Server, "cause", text, "in", pause)
	}
}

// deliver sends what waits over one connection and says how many were sent.
func (q *Queue) deliver(ctx context.Context) (sent int, err error) {
	q.mu.Lock()
	relay := q.relay
	q.mu.Unlock()
	s, err := dial(ctx, relay)
	if err != nil {
		q.expire()
		return 0, err
	}
	for {
		m, ok := q.take()
		if !ok {
			s.quit(ctx)
			return sent, nil
		}
		refused, err := s.send(ctx, m)
		if _, never := errors.AsType[*RefusedError](err); never {
			q.refuse(m, err)
			if err = s.reset(ctx); err == nil {
				continue
			}
			s.close()
			return sent, err
		}
		if err != nil {
			q.putBack(m)
			s.close()
			return sent, err
		}
		for _, r := range refused {
			q.log.Warn("e-mail has a recipient too few", "subject", m.Subject, "cause", r.Error())
		}
		sent++
		q.done()
	}
}

// take takes the oldest message that is still worth sending.
func (q *Queue) take() (Message, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.prune()
	if len(q.waiting) == 0 {
		return Message{}, false
	}
	m := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.busy = true
	return m, true
}

func (q *Queue) expire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.prune()
}

// prune drops what has waited for too long.
func (q *Queue) prune() {
	for len(q.waiting) > 0 && time.Since(q.waiting[0].Time) > maxAge {
		q.drop(q.waiting[0], "it has waited for too long")
		q.waiting = q.waiting[1:]
	}
	q.settle()
}

func (q *Queue) putBack(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.waiting = append([]Message{m}, q.waiting...)
}

func (q *Queue) refuse(m Message, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.status.Refused++
	q.log.Warn("e-mail was not taken", "subject", m.Subject, "cause", err.Error())
	q.settle()
}

func (q *Queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.status.Sent++
	q.settle()
}

// settle tells those who drain when nothing is left.
func (q *Queue) settle() {
	if len(q.waiting) > 0 || q.busy {
		return
	}
	select {
	case <-q.idle:
	default:
		close(q.idle)
	}
}
