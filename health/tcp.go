package health

import (
	"context"
	"fmt"
	"time"
)

// NewTCP returns TCP_CHECK: a connection that is made and closed, with nothing
// sent.
func NewTCP(cfg Connect) Check { return tcpCheck{cfg} }

type tcpCheck struct{ cfg Connect }

// Run connects and closes.
func (t tcpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	conn, err := t.cfg.dial(ctx)
	r := t.result(err)
	r.Took = time.Since(start)
	if err == nil {
		_ = conn.Close()
	}
	return r
}

// result is what an attempt found that ended so.
func (t tcpCheck) result(err error) Result {
	if err != nil {
		return Result{Err: err}
	}
	return Result{Transcript: "connected to " + t.cfg.remote().String()}
}

// Target is the address that is connected to.
func (t tcpCheck) Target() string { return t.cfg.name() }

// String names the check for logs.
func (t tcpCheck) String() string { return "TCP_CHECK " + t.cfg.name() }

// Limit is the most that an attempt may last.
func (t tcpCheck) Limit() time.Duration { return t.cfg.Timeout }

// name is the far end as logs write it.
func (c Connect) name() string { return c.named("tcp") }

func (c Connect) named(protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", c.Addr, protocol, c.Port)
}
