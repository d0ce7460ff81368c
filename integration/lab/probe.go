package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Probe is a client that sends numbered datagrams at a steady pace and notes
// which are answered, and by whom.
type Probe struct {
	lab     *Lab
	conn    *net.UDPConn
	raw     syscall.RawConn
	target  *net.UDPAddr
	every   time.Duration
	stop    chan struct{}
	sending sync.WaitGroup
	reading sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}
	sent    []time.Time
	by      []string
	open    int
	failed  error
}

// Probe starts a probe from the host. ServeUDP is what answers.
func (h *Host) Probe(target netip.AddrPort, every time.Duration) (*Probe, error) {
	p := &Probe{lab: h.lab, every: every, target: net.UDPAddrFromAddrPort(target), stop: make(chan struct{}), changed: make(chan struct{})}
	err := h.In(func() (err error) {
		// Not connected: an answer may come from another address of the host.
		p.conn, err = net.ListenUDP("udp", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.owns(p.conn)
	roomy(p.conn)
	if p.raw, err = p.conn.SyscallConn(); err != nil {
		return nil, err
	}
	p.reading.Go(p.read)
	p.sending.Go(p.send)
	return p, nil
}

// roomy lets many datagrams wait for a process that a busy machine keeps from
// running: what is counted as lost is to be the network's doing.
func roomy(c *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for _, which := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, which, 8<<20)
		}
	})
}

// burst is how many datagrams a client that is late sends at once to make up for
// it: no queue on the way is shorter.
const burst = 64

func (p *Probe) send() {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; ; {
		timer.Reset(time.Until(start.Add(time.Duration(i) * p.every)))
		select {
		case <-timer.C:
		case <-p.stop:
			return
		}
		due := int(time.Since(start)/p.every) + 1
		for last := min(due, i+burst); i < last; i++ {
			if err := p.sendOne(i); err != nil {
				p.mu.Lock()
				p.failed = err
				p.mu.Unlock()
				return
			}
		}
	}
}

func (p *Probe) sendOne(i int) error {
	p.mu.Lock()
	p.sent = append(p.sent, time.Now())
	p.by = append(p.by, "")
	p.open++
	p.mu.Unlock()
	// Unreachable is one way of being lost.
	if _, err := p.conn.WriteToUDP([]byte(strconv.Itoa(i)), p.target); errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (p *Probe) read() {
	buf := make([]byte, 2048)
	// Until it is closed.
	for p.raw.Read(func(fd uintptr) bool { return p.take(int(fd), buf) }) == nil {
	}
}

// take notes an answer, if there is one.
func (p *Probe) take(fd int, buf []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
	if err != nil {
		return !errors.Is(err, unix.EAGAIN)
	}
	who, number, ok := strings.Cut(string(buf[:n]), " ")
	i, bad := strconv.Atoi(number)
	if ok && bad == nil && i >= 0 && i < len(p.by) && p.by[i] == "" {
		p.by[i] = who
		p.open--
		close(p.changed)
		p.changed = make(chan struct{})
	}
	return true
}

// idle is whether nothing waits for this process, neither at a server nor here.
func (p *Probe) idle() bool {
	for _, h := range p.lab.hosts {
		h.mu.Lock()
		echoes := h.echoes
		h.mu.Unlock()
		if slices.ContainsFunc(echoes, func(e *echo) bool { return !e.idle() }) {
			return false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return empty(p.raw)
}

// Sent is how many datagrams have been sent so far.
func (p *Probe) Sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent)
}

// Wait waits until the last n answers are all from the host named.
func (p *Probe) Wait(ctx context.Context, who string, n int) error {
	for {
		p.mu.Lock()
		same, last := 0, ""
		for i := len(p.by) - 1; i >= 0 && same < n; i-- {
			if p.by[i] == "" {
				continue
			}
			if last == "" {
				last = p.by[i]
			}
			if p.by[i] != who {
				break
			}
			same++
		}
		changed := p.changed
		p.mu.Unlock()
		if same >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d answers of %s in a row did not come (last from %q): %w", n, who, last, ctx.Err())
		}
	}
}

// Stop ends the probe and returns the result. It waits for what is still on its way,
// until nothing has come for half a second and all the time nothing that had come
// waited for this process to have a core.
func (p *Probe) Stop() (Result, error) {
	close(p.stop)
	p.sending.Wait()
	for calm := 0; calm < 2; {
		p.mu.Lock()
		open, changed := p.open, p.changed
		p.mu.Unlock()
		if open == 0 {
			break
		}
		quiet := time.NewTimer(250 * time.Millisecond)
		select {
		case <-changed:
			calm = 0
		case <-quiet.C:
			if calm++; !p.idle() {
				calm = 0
			}
		}
		quiet.Stop()
	}
	_ = p.conn.Close()
	p.reading.Wait()
	if p.failed != nil {
		return Result{}, p.failed
	}
	return summarise(p.sent, p.by), nil
}

// Result is what a probe saw.
type Result struct {
	Sent, Lost int
	// By counts the answers of each host; First is when the first of the datagrams
	// that it answered was sent.
	By    map[string]int
	First map[string]time.Time
	// Gaps are the losses in a row, in order.
	Gaps []Gap
}

// Gap is a run of datagrams without an answer.
type Gap struct {
	// At is when the first was sent, counted from the start of the probe.
	At   time.Duration
	Lost int
	// Left are the moments by which each had left the client: when the next was sent, if any was.
	Left []time.Time
	// Lasted is the time from the last answered datagram to the next answered.
	Lasted time.Duration
	// Before and After are the hosts that answered on either side.
	Before, After string
}

// String is the result in a line.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d lost; answered by %v", r.Lost, r.Sent, r.By)
	for _, g := range r.Gaps[:min(len(r.Gaps), 5)] {
		fmt.Fprintf(&b, "; %d at %v between %s and %s", g.Lost, g.At.Round(time.Millisecond), g.Before, g.After)
	}
	return b.String()
}

func summarise(sent []time.Time, by []string) Result {
	r := Result{Sent: len(sent), By: map[string]int{}, First: map[string]time.Time{}}
	last := -1
	for i, who := range by {
		if who == "" {
			r.Lost++
			continue
		}
		if r.By[who]++; r.By[who] == 1 {
			r.First[who] = sent[i]
		}
		r.addGap(sent, by, last, i)
		last = i
	}
	r.addGap(sent, by, last, len(by))
	return r
}

// addGap adds the gap between two answered datagrams, if there is one. Either
// may be beyond the ends.
func (r *Result) addGap(sent []time.Time, by []string, last, next int) {
	if next-last <= 1 {
		return
	}
	g := Gap{At: sent[last+1].Sub(sent[0]), Lost: next - last - 1}
	for i := last + 1; i < next; i++ {
		g.Left = append(g.Left, sent[min(i+1, len(sent)-1)])
	}
	from, to := sent[max(last, 0)], sent[min(next, len(sent)-1)]
	g.Lasted = to.Sub(from)
	if last >= 0 {
		g.Before = by[last]
	}
	if next < len(by) {
		g.After = by[next]
	}
	r.Gaps = append(r.Gaps, g)
}
