package health

import (
	"context"
	"fmt"
	"time"
)

// NewTCP returns TCP_CHECK: a connection that is made and closed, with nothing
// sent.
func NewTCP(cfg Connect) Check {
	return &tcpCheck{connector: newConnector(cfg), said: silence{"connected to " + cfg.remote().String()}}
}

// tcpCheck is a TCP_CHECK with what all its attempts have in common.
type tcpCheck struct {
	connector
	said silence
}

// Run connects and closes.
func (t *tcpCheck) Run(ctx context.Context) Result {
	start := time.Now()
	conn, err := t.cfg.dial(ctx)
	r := t.said.result(err)
	r.Took = time.Since(start)
	if err == nil {
		_ = conn.Close()
	}
	return r
}

func (t *tcpCheck) way() *connector   { return &t.connector }
func (t *tcpCheck) talk(int) dialogue { return &t.said }

// silence is the dialogue of who only connects.
type silence struct{ connected string }

func (*silence) begin() (say []byte, over bool)                 { return nil, true }
func (*silence) hear([]byte) (say []byte, over bool, err error) { return nil, true, nil }
func (*silence) ended(err error) error                          { return err }
func (*silence) names() (sending, hearing string)               { return "", "" }
func (s *silence) result(err error) Result {
	if err != nil {
		return Result{Err: err}
	}
	return Result{Transcript: s.connected}
}

// Target is the address that is connected to.
func (t *tcpCheck) Target() string { return t.cfg.name() }

// String names the check for logs.
func (t *tcpCheck) String() string { return "TCP_CHECK " + t.cfg.name() }

// Limit is the most that an attempt may last.
func (t *tcpCheck) Limit() time.Duration { return t.cfg.Timeout }

// name is the far end as logs write it.
func (c Connect) name() string { return c.named("tcp") }

func (c Connect) named(protocol string) string {
	return fmt.Sprintf("[%s]:%s:%d", c.Addr, protocol, c.Port)
}
