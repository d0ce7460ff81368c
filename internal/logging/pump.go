package logging

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// queueSize is how many messages wait for an output that is slow or gone.
const queueSize = 1024

// output writes messages. It may take its time, but ends early once stop is
// closed.
type output interface {
	write(m message, stop <-chan struct{})
	close()
}

// pump is the queue before one output and the goroutine that empties it.
type pump struct {
	queue   chan message
	dropped atomic.Uint64
	stop    chan struct{}
	done    chan struct{}
}

func newPump(o output) *pump {
	p := &pump{queue: make(chan message, queueSize), stop: make(chan struct{}), done: make(chan struct{})}
	go p.run(o)
	return p
}

// put queues m, or counts it where the queue is full.
func (p *pump) put(m message) {
	select {
	case p.queue <- m:
	default:
		p.dropped.Add(1)
	}
}

func (p *pump) run(o output) {
	defer close(p.done)
	defer o.close()
	for {
		select {
		case m := <-p.queue:
			p.write(o, m)
		case <-p.stop:
			for {
				select {
				case m := <-p.queue:
					p.write(o, m)
				default:
					return
				}
			}
		}
	}
}

func (p *pump) write(o output, m message) {
	o.write(m, p.stop)
	if n := p.dropped.Swap(0); n > 0 {
		text := fmt.Sprintf("%d log messages were dropped because this log was not ready for them", n)
		o.write(message{at: time.Now(), severity: severityOf(hclog.Warn), text: text}, p.stop)
	}
}

// rawWriter queues what is written as a message that is complete.
type rawWriter struct{ pump *pump }

// Write implements io.Writer.
func (w rawWriter) Write(b []byte) (int, error) {
	w.pump.put(message{at: time.Now(), text: string(bytes.TrimRight(b, "\n"))})
	return len(b), nil
}

// console writes as keepalived does with -l.
type console struct {
	w      io.Writer
	format Format
}

// write writes a line. There is nowhere left to tell of an error.
func (c *console) write(m message, _ <-chan struct{}) {
	if c.format == JSON {
		_, _ = fmt.Fprintln(c.w, m.text)
		return
	}
	_, _ = fmt.Fprintf(c.w, "%s: %s\n", m.at.Format(time.ANSIC), m.text)
}

func (*console) close() {}
