//go:build kernel

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// slack is what a busy machine may add to the protocol's own timers. It guards against
// a wait without end: nothing is asserted by it.
const slack = 25 * time.Second

var modes = []mode{
	{name: "v2-pass-multicast", version: 2, advert: time.Second},
	{name: "v2-pass-unicast", version: 2, advert: time.Second, unicast: true},
	{name: "v2-ah-multicast", version: 2, auth: "AH", advert: time.Second},
	{name: "v2-ah-unicast", version: 2, auth: "AH", advert: time.Second, unicast: true},
	{name: "v3-multicast", version: 3, advert: 200 * time.Millisecond},
	{name: "v3-unicast", version: 3, advert: 200 * time.Millisecond, unicast: true},
	{name: "v3-ipv6-multicast", version: 3, advert: 200 * time.Millisecond, v6: true},
	{name: "v3-ipv6-unicast", version: 3, advert: 200 * time.Millisecond, v6: true, unicast: true},
}

// pair is two nodes, lb1 the better one, and a client.
type pair struct {
	t        *testing.T
	lab      *lab.Lab
	mode     mode
	lb1, lb2 *lab.Agent
	client   *lab.Host
	// slept is set where keepalived was seen to miss adverts that came in time.
	slept bool
}

// newPair prepares a pair and starts neither node. The lines extra go into each
// instance of both.
func newPair(t *testing.T, m mode, first, second string, extra ...string) *pair {
	t.Helper()
	l := newLab(t, "lb1", "lb2", "client")
	p := &pair{t: t, lab: l, mode: m, client: l.Host("client")}
	h1, h2 := l.Host("lb1"), l.Host("lb2")
	p.lb1 = agent(t, h1, first, m.conf(h1, h2, 150, extra...))
	p.lb2 = agent(t, h2, second, m.conf(h2, h1, 100, extra...))
	for _, h := range []*lab.Host{h1, h2} {
		must(t, h.ServeUDP(echoPort))
	}
	return p
}

// edit changes the configuration of both nodes alike.
func (p *pair) edit(change func(conf string) string) {
	p.t.Helper()
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		text, err := os.ReadFile(n.Conf())
		must(p.t, err)
		must(p.t, n.Write(change(string(text))))
	}
}

// vips are all virtual addresses of the pair.
func (p *pair) vips() []netip.Addr {
	var out []netip.Addr
	for i := range max(p.mode.instances, 1) {
		if p.mode.v6 {
			out = append(out, p.mode.linkLocal(i).Addr())
		}
		out = append(out, p.mode.vip(i).Addr())
	}
	for _, e := range p.mode.excluded() {
		out = append(out, e.Addr())
	}
	return out
}

// holds waits until the node holds every virtual address and the other none, and
// returns how long that took.
func (p *pair) holds(a *lab.Agent, limit time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	ctx := within(p.t, limit)
	if err := a.Host.Addresses.Wait(ctx, true, p.vips()...); err != nil {
		p.t.Fatalf("%s is not master: %v", a.Host.Name, err)
	}
	took := time.Since(began)
	other := p.other(a)
	if err := other.Host.Addresses.Wait(ctx, false, p.vips()...); err != nil {
		p.t.Fatalf("%s is master, and %s still holds addresses: %v", a.Host.Name, other.Host.Name, err)
	}
	return took
}

func (p *pair) other(a *lab.Agent) *lab.Agent {
	if a == p.lb1 {
		return p.lb2
	}
	return p.lb1
}

// from is the address that a node's adverts come from.
func (p *pair) from(a *lab.Agent) netip.Addr {
	p.t.Helper()
	switch {
	case p.mode.v6 && p.mode.unicast:
		return a.Host.IPv6()
	case p.mode.v6:
		addr, err := a.Host.LinkLocal()
		must(p.t, err)
		return addr
	}
	return a.Host.IPv4()
}

// steady asserts that for three adverts of the master nobody else adverts and no
// virtual address moves. A keepalived that was kept from its adverts, or from those
// that came, is relieved or takes over by right; it is looked at once more.
func (p *pair) steady(master *lab.Agent) {
	p.t.Helper()
	for range 2 {
		began := p.now()
		wrong := p.disturbed(master, began)
		if len(wrong) == 0 {
			return
		}
		why := p.sleeper(master, began)
		if why == "" {
			for _, w := range wrong {
				p.t.Error(w)
			}
			return
		}
		p.slept = true
		p.t.Logf("not steady yet, since %s: %v", why, wrong)
		p.settle(master)
	}
	for _, w := range p.disturbed(master, p.now()) {
		p.t.Error(w)
	}
}

// now is the present moment, after all that has come and gone on either node.
func (p *pair) now() time.Time {
	p.lb1.Host.Addresses.Now()
	return p.lb2.Host.Addresses.Now()
}

// disturbed waits for three adverts of the master and says who else adverted and what
// moved.
func (p *pair) disturbed(master *lab.Agent, began time.Time) []string {
	p.t.Helper()
	var wrong []string
	source := p.from(master)
	_, err := p.lab.Capture.WaitAdvert(within(p.t, 3*p.mode.advert+slack), 3, func(a lab.Advert) bool { return a.Source == source })
	if err != nil {
		p.t.Fatalf("adverts of %s (%s): %v", master.Host.Name, source, err)
	}
	for _, a := range p.lab.Capture.Adverts(began) {
		if a.Source != source {
			wrong = append(wrong, fmt.Sprintf("%s (priority %d) adverts beside the master %s", a.Source, a.Priority, source))
		}
	}
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		for _, e := range n.Host.Addresses.Events(began) {
			wrong = append(wrong, fmt.Sprintf("steady state, and on %s %+v", n.Host.Name, e))
		}
	}
	return wrong
}

// sleeper says how it was a keepalived's doing that the other node adverted since a
// moment, empty where it was not. keepalived puts its addresses on between two
// adverts, and waits for as long as the kernel is busy with the networks of others:
// a backup that has heard nothing for three intervals takes over. And it can sleep
// for longer than its own timer, and find that one run out before it reads the
// adverts that have come.
func (p *pair) sleeper(master *lab.Agent, since time.Time) string {
	source, last := p.from(master), time.Time{}
	for _, a := range p.lab.Capture.Adverts(since.Add(-p.mode.masterDown(1))) {
		if a.Source == source {
			last = a.At
			continue
		}
		if a.At.Before(since) || last.IsZero() {
			continue
		}
		kept := program(p.t, "keepalived")
		switch silent := a.At.Sub(last); {
		case silent >= 3*p.mode.advert && master.Program == kept:
			return fmt.Sprintf("keepalived was silent for %v as master", silent)
		case silent < 3*p.mode.advert && p.other(master).Program == kept:
			return fmt.Sprintf("keepalived took over %v after an advert", silent)
		}
		return ""
	}
	return ""
}

// lead starts both nodes and waits until lb1 has the addresses.
func (p *pair) lead() {
	p.t.Helper()
	start(p.t, p.lb1)
	p.holds(p.lb1, p.mode.masterDown(150)+slack)
	from := len(p.lb2.Log())
	start(p.t, p.lb2)
	for i := range max(p.mode.instances, 1) {
		must(p.t, lab.WaitLog(within(p.t, slack), p.lb2.LogFile(), fmt.Sprintf("(VI_%d) Entering BACKUP STATE", i+1), from))
	}
	p.settle(p.lb1)
}

// settle waits until the other node has had time to take over, and has not. What
// happens before, when both start at once, is the luck of who is first.
func (p *pair) settle(master *lab.Agent) {
	p.t.Helper()
	source := p.from(master)
	n := int((p.mode.masterDown(100) + p.mode.advert) / p.mode.advert)
	if _, err := p.lab.Capture.WaitAdvert(within(p.t, p.mode.masterDown(100)+slack), n, func(a lab.Advert) bool { return a.Source == source }); err != nil {
		p.t.Fatal(err)
	}
	p.holds(master, slack)
}

// life takes a pair through all that makes a master change.
func (p *pair) life() {
	t, m := p.t, p.mode
	down1, down2 := m.masterDown(150)+slack, m.masterDown(100)+slack
	start(t, p.lb1, p.lb2)
	t.Logf("elected after %v", p.holds(p.lb1, down1))
	p.settle(p.lb1)
	p.steady(p.lb1)

	must(t, p.lb1.Host.Cut())
	t.Logf("link cut: taken over after %v", p.holds(p.lb2, down2))
	p.steady(p.lb2)
	must(t, p.lb1.Host.Mend())
	t.Logf("link back: the better node after %v", p.holds(p.lb1, down1))
	p.steady(p.lb1)

	must(t, p.lb1.Signal(syscall.SIGTERM))
	t.Logf("SIGTERM: taken over after %v", p.holds(p.lb2, down2))
	if _, err := p.lb1.Wait(within(t, slack)); err != nil {
		t.Fatal(err)
	}
	p.steady(p.lb2)
	start(t, p.lb1)
	t.Logf("started again: the better node after %v", p.holds(p.lb1, down1))
	p.steady(p.lb1)

	must(t, p.lb2.Stop(slack))
	must(t, p.lb1.Stop(slack))
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		if err := n.Host.Addresses.Wait(within(t, slack), false, p.vips()...); err != nil {
			t.Errorf("%s has stopped: %v", n.Host.Name, err)
		}
	}
}

// TestPairHarness shows that the lab measures keepalived as it is known to be: the
// tests below would otherwise blame an agent for the lab's own faults.
func TestPairHarness(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{modes[0], modes[2], modes[5]} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			newPair(t, m, "keepalived", "keepalived").life()
		})
	}
}

// TestPairElection takes tandem and keepalived as a pair, each way round, and
// tandem with itself, through election, link cut, SIGTERM and the return of the
// better node, in each way that they can speak to each other.
func TestPairElection(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}, {"tandem", "tandem"}} {
		for _, m := range modes {
			t.Run(fmt.Sprintf("%s-%s/%s", names[0], names[1], m.name), func(t *testing.T) {
				t.Parallel()
				newPair(t, m, names[0], names[1]).life()
			})
		}
	}
}
