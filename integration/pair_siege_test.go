//go:build kernel

package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPairSiege has a thousand clients at the master's control socket at once: some
// ask and ask, some begin and never end, some read nothing, some send garbage. The
// adverts stay on time, so that the peer has no reason to take over; memory stays
// bounded; and an operator is still served.
func TestPairSiege(t *testing.T) {
	t.Parallel()
	m := mode{name: "v3", version: 3, advert: time.Second}
	p := newPair(t, m, "tandem", "tandem")
	p.lead()
	before := memoryOf(t, p.lb1.PID(), "VmRSS")
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	var clients sync.WaitGroup
	for i := range 1000 {
		clients.Go(func() { besiege(ctx, p.lb1.Socket(), i) })
	}
	served := 0
	for ctx.Err() == nil {
		asked := time.Now()
		if out, err := p.lb1.Ask("status", "VI_1"); err != nil {
			t.Errorf("after %v the operator is told %v", time.Since(asked), err)
		} else if !strings.Contains(out, "MASTER") {
			t.Errorf("under siege:\n%s", out)
		}
		served++
	}
	clients.Wait()
	var gaps []time.Duration
	last := began
	for _, a := range p.lab.Capture.Adverts(began) {
		if a.Source != p.from(p.lb1) {
			t.Fatalf("%v adverts, with priority %d", a.Source, a.Priority)
		}
		gaps = append(gaps, a.At.Sub(last))
		last = a.At
	}
	slices.Sort(gaps)
	grown := memoryOf(t, p.lb1.PID(), "VmHWM") - before
	t.Logf("%d answers for the operator; adverts every %v, at worst %v; %d MiB more memory at the most", served, gaps[len(gaps)/2], gaps[len(gaps)-1], grown>>20)
	if worst := gaps[len(gaps)-1]; worst >= m.masterDown(100) {
		t.Errorf("no advert for %v", worst)
	}
	if grown > 300<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	t.Log(ask(t, p.lb1, "switchover"))
	p.holds(p.lb2, slack)
}

// besiege is one of the clients, of one kind or another.
func besiege(ctx context.Context, socket string, i int) {
	for ctx.Err() == nil {
		c, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(3 * time.Second))
		switch i % 5 {
		case 0: // asks, and reads the answer
			_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		case 1: // never ends its request
			_, _ = io.WriteString(c, "POST /v1/move HTTP/1.1\r\nHost: x\r\nContent-Len")
			_, _ = io.Copy(io.Discard, c)
		case 2: // asks for all that happened, and reads none of it
			_, _ = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
			_, _ = c.Read(make([]byte, 1))
			<-ctx.Done()
		case 3: // follows, and does not read
			_, _ = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
			_, _ = c.Read(make([]byte, 1))
			<-ctx.Done()
		default:
			_, _ = fmt.Fprintf(c, "\x16\x03\x01%s\r\n\r\n", strings.Repeat("\xff\x00", i))
			_, _ = io.Copy(io.Discard, c)
		}
		stop()
		c.Close()
	}
}

// memoryOf is a line of a process's status, in bytes.
func memoryOf(t *testing.T, pid int, line string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) == 3 && f[0] == line+":" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			must(t, err)
			return n << 10
		}
	}
	t.Fatalf("no %s of process %d", line, pid)
	return 0
}
