//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/integration/lab"
)

// crowd is a great many real servers, all of them one host behind one neighbour.
type crowd struct {
	host    *lab.Host
	mu      sync.Mutex
	arrived []arrival
}

// arrival is a connection to one of the servers.
type arrival struct {
	at time.Time
	to netip.Addr
}

// newCrowd answers on port 80 of every address from 10.9.0.0 to 10.9.255.255 once
// it is joined to the network.
func newCrowd(t *testing.T, h *lab.Host, seenBy ...*lab.Host) *crowd {
	t.Helper()
	c := &crowd{host: h}
	for _, other := range seenBy {
		must(t, other.IP(fmt.Sprintf("route replace 10.9.0.0/16 via %s", h.IPv4())))
	}
	// Packets for nobody are dropped in silence.
	must(t, h.IP("route del 10.9.0.0/16 dev "+lab.NIC))
	var l net.Listener
	must(t, h.In(func() (err error) {
		l, err = net.Listen("tcp", "0.0.0.0:80")
		return err
	}))
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			at := heardAt(conn)
			to, _ := netip.ParseAddrPort(conn.LocalAddr().String())
			c.mu.Lock()
			c.arrived = append(c.arrived, arrival{at, to.Addr()})
			c.mu.Unlock()
			done.Go(func() { answerOnce(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return c
}

// heardAt is when the kernel last heard from the other end of a connection: when it is
// accepted here says little on a busy machine.
func heardAt(conn net.Conn) time.Time {
	now, ago := time.Now(), time.Duration(0)
	if raw, err := conn.(*net.TCPConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				ago = time.Duration(info.Last_ack_recv) * time.Millisecond
			}
		})
	}
	return now.Add(-ago)
}

// answerOnce answers whatever is asked, if anything is.
func answerOnce(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if n, _ := conn.Read(make([]byte, 1024)); n > 0 {
		_, _ = conn.Write([]byte("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	}
}

func (c *crowd) join(t *testing.T) {
	t.Helper()
	must(t, c.host.IP("route add local 10.9.0.0/16 dev lo"))
}

func (c *crowd) leave(t *testing.T) {
	t.Helper()
	must(t, c.host.IP("route del local 10.9.0.0/16 dev lo"))
}

// spread waits for one interval after begin and some, and for most of the checks, and
// wants what arrives in the fullest tenth of any to be no crowd, in tenths of all checks.
func (c *crowd) spread(t *testing.T, what string, begin time.Time, interval time.Duration, checks, tenths int) {
	t.Helper()
	eventually(t, 3*interval+slack, what, func() error {
		if past := time.Since(begin); past < interval+interval/2 {
			return fmt.Errorf("%v of the interval have passed", past)
		}
		if n := len(c.visits(begin)); n < checks*8/10 {
			return fmt.Errorf("%d of %d servers were checked", n, checks)
		}
		return nil
	})
	past := time.Since(begin)
	c.mu.Lock()
	defer c.mu.Unlock()
	slots := map[time.Duration]int{}
	most, total := 0, 0
	for _, a := range c.arrived {
		if a.at.After(begin) {
			total++
			slot := a.at.Sub(begin) / (interval / 10)
			slots[slot]++
			most = max(most, slots[slot])
		}
	}
	t.Logf("%s: %d checks arrived within %v, at most %d in any tenth of the interval of %v", what, total, past.Round(time.Millisecond), most, interval)
	// A storm has all of them at once.
	if most > tenths*checks/10 {
		t.Errorf("%s: %d of %d checks arrived within %v", what, most, checks, interval/10)
	}
}

// visits counts the connections to each server since a moment.
func (c *crowd) visits(since time.Time) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[string]int{}
	for _, a := range c.arrived {
		if a.at.After(since) {
			n[a.to.String()]++
		}
	}
	return n
}

// serversUp waits until so many real servers are up.
func serversUp(t *testing.T, a *lab.Agent, want int, limit time.Duration) {
	t.Helper()
	eventually(t, limit, fmt.Sprintf("%d servers up", want), func() error {
		s, err := tryStatus(a)
		if err != nil {
			return err
		}
		up := 0
		for _, vs := range s.Services {
			for _, rs := range vs.Servers {
				if rs.Up {
					up++
				}
			}
		}
		if up != want {
			return fmt.Errorf("%d are", up)
		}
		return nil
	})
}

// crowded are virtual servers with so many checked servers, one in five by HTTP.
func crowded(checks int, interval time.Duration) string {
	var b strings.Builder
	for i := range checks {
		if i%100 == 0 {
			if i > 0 {
				b.WriteString("}\n")
			}
			fmt.Fprintf(&b, "virtual_server 10.10.0.%d 80 {\n  protocol TCP\n  delay_loop %d\n", 1+i/100, int(interval.Seconds()))
		}
		check := "TCP_CHECK {\n"
		if i%5 == 0 {
			check = "HTTP_GET {\n      url {\n        path /\n        status_code 200\n      }\n"
		}
		fmt.Fprintf(&b, "  real_server %s 80 {\n    %s      connect_timeout 2\n      retry 0\n    }\n  }\n",
			netip.AddrFrom4([4]byte{10, 9, byte(i / 250), byte(1 + i%250)}), check)
	}
	b.WriteString("}\n")
	return b.String()
}

// openFiles is how many a process has, threads how many threads.
func openFiles(t *testing.T, a *lab.Agent) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.PID()))
	must(t, err)
	return len(list)
}

func threads(t *testing.T, a *lab.Agent) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", a.PID()))
	must(t, err)
	return len(list)
}

// asleep is an error while a thread of a process runs, or wants to: what is to be
// done at once has been done when none does.
func asleep(a *lab.Agent) error {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", a.PID()))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		// pid (name) state ...
		if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "S") {
			return fmt.Errorf("a thread is in state %.1s", state)
		}
	}
	return nil
}

// TestPairChecks has a master check very many servers (5000 with TANDEM_ROUNDS)
// that live, vanish without a word and return: checks are spread over the interval
// all along, sockets and threads are bounded, no advert is late, and nothing is
// left once there are no checks any more, those under way included. The nodes run
// in real time, or it would be the other pairs that adverts wait for.
func TestPairChecks(t *testing.T) {
	t.Parallel()
	checks, interval := 1500, 3*time.Second
	if rounds(t, 1) > 1 {
		checks, interval = 5000, 6*time.Second
	}
	m := mode{version: 3, advert: 200 * time.Millisecond, realTime: 10}
	p := newPair(t, m, "tandem", "keepalived")
	plain := m.conf(p.lb1.Host, p.lb2.Host, 150)
	p.lead()
	idle := openFiles(t, p.lb1)
	c := newCrowd(t, p.client, p.lb1.Host)
	c.join(t)

	must(t, p.lb1.Write(plain+crowded(checks, interval)))
	began := time.Now()
	ask(t, p.lb1, "reload")
	c.spread(t, "the start", began, interval, checks, 4)
	serversUp(t, p.lb1, checks, slack)

	c.leave(t)
	files, tasks := 0, 0
	eventually(t, 2*interval+slack, "timeouts", func() error {
		files, tasks = max(files, openFiles(t, p.lb1)), max(tasks, threads(t, p.lb1))
		if past := time.Since(began); past < 4*interval {
			return fmt.Errorf("%v have passed", past)
		}
		return nil
	})
	serversUp(t, p.lb1, 0, interval+slack)
	t.Logf("%d checks that time out: at most %d open files (idle: %d) and %d threads", checks, files, idle, tasks)
	if files > idle+min(checks, 4096)+50 || tasks > 50 {
		t.Errorf("%d open files and %d threads", files, tasks)
	}

	c.join(t)
	// What was under way arrives as well when the kernel next tries, a second and two
	// after it first has: three times as many as else, and the machine may stall.
	c.spread(t, "the return", time.Now(), interval, checks, 7)
	serversUp(t, p.lb1, checks, interval+slack)

	// Hundreds of checks are under way when there are none any more.
	c.leave(t)
	eventually(t, interval+slack, "checks under way", func() error {
		if n := openFiles(t, p.lb1); n < idle+checks/10 {
			return fmt.Errorf("%d open files", n)
		}
		return nil
	})
	must(t, p.lb1.Write(plain))
	ask(t, p.lb1, "reload")
	eventually(t, slack, "the end of all checks", func() error {
		if n := openFiles(t, p.lb1); n > idle+2 {
			return fmt.Errorf("%d open files, %d before there were checks", n, idle)
		}
		// What is left to do after the last of them is closed takes its time, too.
		return asleep(p.lb1)
	})
	if gap := p.longestGap(began); gap > silence {
		t.Errorf("%v between two adverts of one each %v", gap, m.advert)
	} else {
		t.Logf("at most %v between two adverts of one each %v", gap.Round(time.Millisecond), m.advert)
	}
	p.unmoved(began)

	// SIGQUIT has a program of Go list its goroutines, and end.
	must(t, p.lb1.Signal(syscall.SIGQUIT))
	_, _ = p.lb1.Wait(within(t, slack))
	goroutines := strings.Count(p.lb1.Log(), "\ngoroutine ")
	t.Logf("%d goroutines after the end of all checks", goroutines)
	if goroutines == 0 || goroutines > 60 {
		t.Errorf("%d goroutines after the end of all checks:\n%s", goroutines, tail(p.lb1.Log(), 200))
	}
}

// TestPairSuspend checks the servers of a service with ha_suspend, and of a group,
// while their address is here and at no other time.
func TestPairSuspend(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "keepalived", "tandem")
	c := newCrowd(t, p.client, p.lb2.Host)
	c.join(t)
	service := func(head string, server int) string {
		return fmt.Sprintf("virtual_server %s {\n  ha_suspend\n  protocol TCP\n  delay_loop 1\n  real_server 10.9.0.%d 80 {\n    TCP_CHECK {\n      connect_timeout 1\n    }\n  }\n}\n", head, server)
	}
	vip := m.vip(0).Addr().String()
	must(t, p.lb2.Write(m.conf(p.lb2.Host, p.lb1.Host, 100)+service(vip+" 80", 1)+
		"virtual_server_group G {\n  10.10.0.1 80\n  "+vip+" 81\n}\n"+service("group G", 2)))
	p.lead()
	none := func(when string) {
		t.Helper()
		began := time.Now()
		eventually(t, slack, when, func() error {
			if past := time.Since(began); past < 3*time.Second {
				return fmt.Errorf("%v have passed", past)
			}
			return nil
		})
		if n := c.visits(began); len(n) > 0 {
			t.Errorf("%s there are checks: %v", when, n)
		}
	}
	none("on the backup")
	began := time.Now()
	must(t, p.lb1.Stop(slack))
	p.holds(p.lb2, slack)
	eventually(t, slack, "checks on the master", func() error {
		if n := c.visits(began); n["10.9.0.1"] < 2 || n["10.9.0.2"] < 2 {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	start(t, p.lb1)
	p.holds(p.lb1, slack)
	// What was under way when the address went may end.
	eventually(t, slack, "the last check", func() error {
		if n := c.visits(time.Now().Add(-1500 * time.Millisecond)); len(n) > 0 {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	none("on the backup once more")
}
