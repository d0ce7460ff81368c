package health

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// next are the attempts that end next.
func next(p *poller, wake <-chan struct{}) []finished {
	for {
		if ended := p.settle(); len(ended) > 0 {
			return ended
		}
		select {
		case <-wake:
		case <-time.After(time.Until(p.deadline())):
		}
	}
}

// What there is no room for is said when there is: a request that is larger than what
// the kernel takes at once.
func TestDialogueLongRequest(t *testing.T) {
	const size = 8 << 20
	c := listen(t, func(c *net.TCPConn) {
		var got int
		buf := make([]byte, 64<<10)
		for got < size {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			got += bytes.Count(buf[:n], []byte("x"))
		}
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n"+strconv.Itoa(got))
	})
	for name, run := range ways(t) {
		r := run(t.Context(), NewHTTP(getting(c, HTTPURL{Method: "POST", Body: bytes.Repeat([]byte("x"), size)})))
		if r.Err != nil || !strings.HasSuffix(r.Transcript, ", 7 bytes") {
			t.Errorf("%s: %v, %q", name, r.Err, r.Transcript)
		}
	}
}

// One that talks without end keeps no other waiting, and ends when its time is over,
// however steadily it talks; so does one that drips.
func TestDialogueWithoutEnd(t *testing.T) {
	endless := func(between time.Duration, size int) Connect {
		return listen(t, func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
			for {
				if _, err := c.Write(make([]byte, size)); err != nil {
					return
				}
				time.Sleep(between)
			}
		})
	}
	good := listen(t, answering("HTTP/1.0 200 OK\r\n\r\nabc"))
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	defer p.close()
	check := func(c Connect) *attempt {
		c.Timeout = ample
		return &attempt{order: StartCheck{Run: NewHTTP(getting(c, HTTPURL{}))}}
	}
	drips, floods := check(endless(10*time.Millisecond, 1)), check(endless(0, 1<<20))
	p.begin(drips)
	p.begin(floods)
	p.begin(check(good))
	ended := map[*attempt]error{}
	for len(ended) < 2 {
		for _, f := range next(p, wake) {
			ended[f.attempt] = f.result.Err
		}
	}
	if err, over := ended[drips]; over {
		t.Fatalf("drips: %v", err)
	}
	wantErr(t, ended[floods], "read answer from 127.0.0.1:*: body longer than 67108864 bytes")
	// Whatever is heard gives it its timeout anew.
	for before := p.deadline(); !p.deadline().After(before); {
		select {
		case <-wake:
		case <-time.After(ample):
			t.Fatal("nothing is heard of one that drips")
		}
		if ended := p.settle(); len(ended) > 0 {
			t.Fatal(ended[0].result.Err)
		}
	}
	drips.start = time.Now().Add(-attemptLimit(drips.order.Run))
	wantErr(t, next(p, wake)[0].result.Err, "read answer from 127.0.0.1:*: timed out: the answer did not end")
}

// What is asked again and again takes a moment each time, and no goroutine.
func BenchmarkPollerHTTP(b *testing.B) {
	c := listen(b, answering("HTTP/1.0 200 OK\r\n\r\nabc"))
	check := NewHTTP(getting(c, HTTPURL{}))
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	defer p.close()
	attempts := make([]attempt, 10)
	b.ReportAllocs()
	for b.Loop() {
		for i := range attempts {
			attempts[i] = attempt{order: StartCheck{Run: check}}
			p.begin(&attempts[i])
		}
		for left := len(attempts); left > 0; {
			left -= len(next(p, wake))
		}
	}
}

// Of many that say a little now and then, each is heard to its end.
func TestDialogueDrips(t *testing.T) {
	const many, pieces = 100, 20
	c := listen(t, func(c *net.TCPConn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		for n := range pieces {
			time.Sleep(time.Duration(n%7) * time.Millisecond)
			_, _ = io.WriteString(c, "x")
		}
	})
	wake := make(chan struct{}, 1)
	p := newPoller(func() { poke(wake) })
	defer p.close()
	for range many {
		p.begin(&attempt{order: StartCheck{Run: NewHTTP(getting(c, HTTPURL{}))}})
	}
	for left := many; left > 0; {
		ended := next(p, wake)
		left -= len(ended)
		for _, f := range ended {
			if want := "GET /x HTTP/1.0 -> HTTP/1.0 200 OK, 20 bytes"; f.result.Err != nil || f.result.Transcript != want {
				t.Errorf("%v, %q", f.result.Err, f.result.Transcript)
			}
		}
	}
}
