//go:build kernel

package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/integration/lab"
)

var updateSessions = flag.Bool("update", false, "write the golden sessions anew")

// operated is a pair that balances to two web servers, with a client that never
// stops asking, and the record of a session in which it is operated.
type operated struct {
	*pair
	vip netip.AddrPort
	web map[string]*lab.Web
	// record is the session: each command and what it said.
	record strings.Builder
	probe  *lab.Probe
	limit  time.Duration
}

// newOperated starts both nodes; lb1 is the better one and serves.
func newOperated(t *testing.T, advert, every time.Duration) *operated {
	t.Helper()
	m := mode{name: "v3", version: 3, advert: advert}
	l := newLab(t, "lb1", "lb2", "client", "rs1", "rs2")
	o := &operated{
		pair: &pair{t: t, lab: l, mode: m, client: l.Host("client")},
		vip:  netip.AddrPortFrom(m.vip(0).Addr(), 80), web: map[string]*lab.Web{}, limit: m.masterDown(100) + patience,
	}
	servers := ""
	for _, name := range []string{"rs1", "rs2"} {
		h := l.Host(name)
		must(t, h.Sysctl("net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2"))
		must(t, h.IP(fmt.Sprintf("addr add %s/32 dev lo", o.vip.Addr())))
		w, err := h.Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		must(t, err)
		o.web[name] = w
		servers += fmt.Sprintf("  real_server %s 80 {\n    HTTP_GET {\n      connect_timeout 20\n      url {\n        path /\n        status_code 200\n      }\n    }\n  }\n", h.IPv4())
	}
	service := fmt.Sprintf("virtual_server %s 80 {\n  delay_loop 30\n  lvs_sched rr\n  lvs_method DR\n  protocol TCP\n%s}\n", o.vip.Addr(), servers)
	h1, h2 := l.Host("lb1"), l.Host("lb2")
	o.lb1 = agent(t, h1, "tandem", m.conf(h1, h2, 150)+service)
	o.lb2 = agent(t, h2, "tandem", m.conf(h2, h1, 100)+service)
	for _, h := range []*lab.Host{h1, h2} {
		must(t, h.ServeUDP(echoPort))
	}
	o.lead()
	var err error
	o.probe, err = o.client.Probe(netip.AddrPortFrom(o.vip.Addr(), echoPort), every)
	must(t, err)
	o.served("lb1")
	for _, a := range []*lab.Agent{o.lb1, o.lb2} {
		eventually(t, o.limit, "the checks", func() error {
			out, err := a.Ask("status", o.vip.String())
			if err == nil && strings.Count(out, "HTTP_GET up") != 2 {
				err = errors.New(out)
			}
			return err
		})
	}
	return o
}

// served waits until a node answers the client.
func (o *operated) served(name string) {
	o.t.Helper()
	if err := o.probe.Wait(within(o.t, o.limit), name, 50); err != nil {
		o.t.Fatalf("%s does not serve: %v", name, err)
	}
}

// say runs a command on a node, and puts it and what it says on record.
func (o *operated) say(a *lab.Agent, args ...string) {
	o.t.Helper()
	out, err := a.Ask(args...)
	status := ""
	if failed := (*lab.AskError)(nil); errors.As(err, &failed) {
		out, status = failed.Text+"\n", fmt.Sprintf("[exit status %d]\n", failed.Status)
	} else if err != nil {
		o.t.Fatal(err)
	}
	fmt.Fprintf(&o.record, "%s$ tandem %s\n%s%s\n", a.Host.Name, strings.Join(args, " "), plainSession(out), status)
}

// note puts on record what happened otherwise.
func (o *operated) note(text string) { fmt.Fprintf(&o.record, "# %s\n\n", text) }

// restart kills a node and starts it again.
func (o *operated) restart(a *lab.Agent, how string) {
	o.t.Helper()
	a.Kill()
	start(o.t, a)
	eventually(o.t, o.limit, "it runs again", func() error {
		s, err := tryStatus(a)
		if err == nil && (len(s.Instances) == 0 || s.Instances[0].StateName == "INIT") {
			err = errors.New("not started")
		}
		if text, _ := a.Ask("status", "VI_1"); err == nil && strings.Contains(text, "none heard") {
			err = errors.New("has not heard its peer")
		}
		return err
	})
	o.note(a.Host.Name + " " + how)
}

var (
	sessionTimes = regexp.MustCompile(`\b\d+d\d+h\b|\b\d+h\d+m\b|\b\d+m\d+s\b|\b\d+(\.\d+)?(ms|µs|s)\b`)
	sessionDates = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`)
	sessionPIDs  = regexp.MustCompile(`process \d+`)
	sessionFirst = regexp.MustCompile(`(?m)^tandem \S+, process`)
	sessionFiles = regexp.MustCompile(`/\S+/keepalived\.conf`)
	sessionRest  = regexp.MustCompile(`,? \(?\d+ closing\)?`)
	sessionGaps  = regexp.MustCompile(`(\S) {2,}`)
	// sessionLoad is what a busy machine adds to a status.
	sessionLoad = regexp.MustCompile(`(?m)^(timers: |  alarm: timers ).*\n`)
)

// plainSession takes out of an output what differs from run to run.
func plainSession(out string) string {
	out = strings.Replace(sessionLoad.ReplaceAllString(out, ""), "\nATTENTION\n\n", "\n", 1)
	out = sessionRest.ReplaceAllString(out, "")
	out = sessionFirst.ReplaceAllString(out, "tandem VERSION, process")
	out = sessionFiles.ReplaceAllString(out, "keepalived.conf")
	out = sessionDates.ReplaceAllString(out, "DATE")
	out = sessionTimes.ReplaceAllString(out, "TIME")
	out = sessionPIDs.ReplaceAllString(out, "process PID")
	return sessionGaps.ReplaceAllString(out, "$1  ")
}

// golden compares the session with the one in testdata.
func (o *operated) golden(name string) {
	o.t.Helper()
	path := filepath.Join("testdata", name)
	if *updateSessions {
		if dir := os.Getenv("TANDEM_VM_OUT"); dir != "" {
			path = filepath.Join(dir, name)
		}
		must(o.t, os.WriteFile(path, []byte(o.record.String()), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(o.t, err)
	if d := cmp.Diff(string(want), o.record.String()); d != "" {
		o.t.Errorf("the session (-want +got):\n%s", d)
	}
}

// operate is the session that needs no IPVS.
func (o *operated) operate() {
	name := o.vip.String()
	rs1 := netip.AddrPortFrom(o.lab.Host("rs1").IPv4(), 80).String()
	o.say(o.lb1, "status", "VI_1")
	o.say(o.lb2, "switchover")
	o.say(o.lb1, "switchover", "VI_9")
	o.say(o.lb1, "failover", "--force")

	o.say(o.lb1, "switchover")
	o.served("lb2")
	o.say(o.lb1, "status", "VI_1")
	o.say(o.lb1, "resume")
	o.served("lb1")
	o.say(o.lb2, "failover")
	o.served("lb2")
	o.say(o.lb2, "resume")
	o.served("lb1")

	o.say(o.lb1, "maintenance", "on", "--reason", "new kernel")
	o.served("lb2")
	o.say(o.lb1, "maintenance", "on")
	o.say(o.lb1, "failover")
	o.restart(o.lb1, "is killed, and starts again")
	o.say(o.lb1, "status", "VI_1")
	o.say(o.lb2, "switchover")
	o.say(o.lb2, "maintenance", "on")
	o.served("lb2")
	o.say(o.lb1, "reload")
	o.say(o.lb1, "maintenance", "off")
	o.served("lb1")

	o.say(o.lb1, "check-now", rs1)
	o.say(o.lb1, "pause", rs1, "--reason", "noisy")
	o.say(o.lb1, "check-now", rs1)
	o.say(o.lb1, "pause", rs1)
	o.say(o.lb1, "unpause", rs1, "--in", name)
	o.say(o.lb1, "unpause", rs1)
	o.say(o.lb1, "check-now", "192.0.2.250")
	o.say(o.lb1, "log-level")
	o.say(o.lb1, "log-level", "warning")
	o.say(o.lb1, "log-level", "debug")
	o.say(o.lb1, "events", "--kind", "order", "--kind", "order-refused")
	o.say(o.lb1, "events", "--kind", "state", "--subject", "VI_1", "-n", "3")
}

// TestPairOperate operates a pair in every way while a client asks it each
// millisecond, and loses none of its packets.
func TestPairOperate(t *testing.T) {
	t.Parallel()
	o := newOperated(t, 200*time.Millisecond, probing)
	o.operate()
	o.golden("session.txt")
	r, err := o.probe.Stop()
	must(t, err)
	t.Logf("LOSS the whole session: %v", r)
	if r.Lost != 0 {
		t.Errorf("packets lost: %v", r)
	}
	must(t, errors.Join(o.lb1.Stop(slack), o.lb2.Stop(slack)))
}

// TestIPVSOperate is the session with real servers that are drained and weighed
// under load, across reloads and restarts: no request is lost. What goes before it
// in namespaces goes before it here, too, where there is time (TANDEM_LONG).
func TestIPVSOperate(t *testing.T) {
	t.Parallel()
	o := newOperated(t, 2*time.Second, 50*time.Millisecond)
	session := "session-ipvs.txt"
	if os.Getenv("TANDEM_LONG") != "" {
		session = "session-vm.txt"
		o.operate()
	}
	rs1 := netip.AddrPortFrom(o.lab.Host("rs1").IPv4(), 80).String()
	rs2 := netip.AddrPortFrom(o.lab.Host("rs2").IPv4(), 80).String()
	lines := []*lab.Line{o.line(), o.line()} // rr: one to each
	stop := o.load()
	o.say(o.lb1, "drain", rs1, "--timeout", "6s")
	o.weights(rs1+" 0", rs2+" 1")
	o.say(o.lb1, "drain", rs2)
	o.say(o.lb1, "status", o.vip.String())
	o.say(o.lb1, "reload")
	// A busy machine may take longer to start it than the other waits, whose kernel
	// knows no connection.
	must(t, o.lb2.Host.Cut())
	o.restart(o.lb1, "is killed, and starts again")
	o.served("lb1")
	must(t, o.lb2.Host.Mend())
	o.weights(rs1+" 0", rs2+" 1")
	for i, l := range lines {
		if err := l.Say(i+1, patience); err != nil {
			t.Errorf("connection %d does not outlive a drain: %v", i, err)
		}
		must(t, l.Close())
	}
	o.say(o.lb1, "drain", rs1, "--reason", "once more")
	o.say(o.lb1, "undrain", rs1)
	o.say(o.lb1, "undrain", rs1)
	o.say(o.lb1, "weight", rs1, "5")
	o.weights(rs1+" 5", rs2+" 1")
	o.say(o.lb1, "weight", rs1, "0", "--in", "192.0.2.250:80")
	o.say(o.lb1, "weight", rs1, "reset")
	o.weights(rs1+" 1", rs2+" 1")
	n, failed := stop()
	t.Logf("LOSS drains and weights: %d of %d requests", len(failed), n)
	if n == 0 || len(failed) > 0 {
		t.Errorf("%d of %d requests failed:\n%s", len(failed), n, strings.Join(failed, "\n"))
	}
	o.golden(session)
	must(t, errors.Join(o.lb1.Stop(patience), o.lb2.Stop(patience)))
}

// line opens a connection that stays.
func (o *operated) line() *lab.Line {
	o.t.Helper()
	l, err := o.client.OpenLine(within(o.t, patience), o.vip)
	must(o.t, err)
	return l
}

// weights waits until the servers have these weights.
func (o *operated) weights(servers ...string) {
	o.t.Helper()
	want := []string{fmt.Sprintf("-A -t %s -s rr", o.vip)}
	for _, s := range servers {
		addr, weight, _ := strings.Cut(s, " ")
		want = append(want, fmt.Sprintf("-a -t %s -r %s -g -w %s", o.vip, addr, weight))
	}
	hasTable(o.t, o.lb1.Host, want...)
}

// load asks for pages until the function that it returns is called, which says how
// often, and what was wrong where it was in vain.
func (o *operated) load() (stop func() (asked int, failed []string)) {
	var asked int
	var failed []string
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			limited, end := context.WithTimeout(context.WithoutCancel(ctx), patience)
			began := time.Now()
			if _, err := o.client.Get(limited, o.vip); err != nil {
				failed = append(failed, fmt.Sprintf("%s, %v later: %v", began.Format(time.TimeOnly), time.Since(began), err))
			}
			asked++
			end()
		}
	}()
	return func() (int, []string) {
		cancel()
		<-done
		return asked, failed
	}
}

// TestPairMoveUnanswered orders a switchover and maintenance where the peer is
// dead, deaf, in fault or in maintenance: neither may take the address away, and
// the reason is told.
func TestPairMoveUnanswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gone func(p *pair)
		// taken is where the peer may take over all the same.
		taken bool
	}{
		{"dead", func(p *pair) { p.lb2.Kill() }, false},
		{"frozen", func(p *pair) { must(p.t, p.lb2.Signal(syscall.SIGSTOP)) }, false},
		{"cut off", func(p *pair) { must(p.t, p.lb2.Host.Cut()) }, false},
		{"in fault", func(p *pair) { must(p.t, p.lb2.Host.IP("link set "+lab.NIC+" down")) }, false},
		{"in maintenance", func(p *pair) { ask(p.t, p.lb2, "maintenance", "on") }, false},
		{"deaf", func(p *pair) {
			_, err := p.lb2.Host.Run("nft", "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }; add rule ip deaf in ip protocol vrrp drop")
			must(p.t, err)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, moves[0], "tandem", "tandem")
			p.lead()
			c.gone(p)
			probe := p.probe()
			if !c.taken {
				must(t, probe.Wait(within(t, slack), "lb1", 100))
			}
			for _, order := range [][]string{{"switchover"}, {"maintenance", "on"}} {
				out, err := p.lb1.Ask(order...)
				failed := (*lab.AskError)(nil)
				switch {
				case c.taken:
				case !errors.As(err, &failed):
					t.Errorf("%v: %q, %v", order, out, err)
				case !strings.Contains(failed.Text, "NOT DONE") || !strings.Contains(failed.Text, "still master: nobody took over within"):
					t.Errorf("%v: the reason is not told: %s", order, failed.Text)
				default:
					t.Log(failed.Text)
				}
				if c.taken {
					t.Log(out, err)
					break
				}
			}
			if !c.taken {
				must(t, probe.Wait(within(t, slack), "lb1", 300))
			}
			r, err := probe.Stop()
			must(t, err)
			t.Logf("LOSS peer %s: %v", c.name, r)
			if r.Lost != 0 {
				t.Errorf("packets lost: %v", r)
			}
			_ = p.lb2.Signal(syscall.SIGCONT)
		})
	}
}
