// Command demo shows a pair of load balancers at work, in network namespaces of
// its own: a client, two nodes, two web servers. It tells what it does, measures
// how long things take and what is lost, and ends with 1 where a step did not
// come out as it should.
//
// It needs root and IPVS (integration/vm finds both) and the tandem binary that
// TANDEM_BIN names. -peer keepalived makes the second node a keepalived.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

func main() {
	peer := flag.String("peer", "tandem", "what the second node runs: tandem or keepalived")
	flag.Parse()
	if err := run(*peer); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(peer string) error {
	if peer != "tandem" && peer != "keepalived" {
		return fmt.Errorf("-peer %s: tandem or keepalived", peer)
	}
	binary, err := exec.LookPath(os.Getenv("TANDEM_BIN"))
	if err != nil {
		return fmt.Errorf("TANDEM_BIN: %w (make build makes it)", err)
	}
	labs := lab.NewRegistry()
	defer labs.Close()
	defer labs.OnSignal()()
	d := &demo{screen: newScreen(os.Stdout, os.Getenv("TANDEM_COLOUR") == "yes"), peer: peer, tandem: binary}
	if err := d.build(labs); err != nil {
		return err
	}
	defer d.lab.Close()
	return d.play()
}

// step is one act of the demo.
type step struct {
	title string
	act   func() error
}

// outcome is how a step ended.
type outcome struct {
	title string
	took  time.Duration
	err   error
}

// play runs the steps until one fails, and sums up.
func (d *demo) play() error {
	steps := []step{
		{"Election: both nodes start, the better one becomes master", d.election},
		{"Requests are spread over both web servers", d.spread},
		{"A web server dies and leaves the table", d.serverDies},
		{"It comes back and serves again", d.serverReturns},
		{"The master's cable is cut: the other node takes over", d.failover},
		{"The cable is back: the better node takes over again", d.comesBack},
		{"A switchover by hand, counted by a client", d.switchover},
		{"The node that was moved away is told to resume", d.resume},
		{"Both end in good order and leave nothing behind", d.end},
	}
	began := time.Now()
	var done []outcome
	var failed error
	for i, s := range steps {
		d.screen.title(fmt.Sprintf("%d. %s", i+1, s.title))
		from := time.Now()
		err := s.act()
		done = append(done, outcome{s.title, time.Since(from), err})
		if err != nil {
			d.screen.bad(err.Error())
			failed = errors.New("not everything came out as it should")
			d.logs()
			break
		}
	}
	d.screen.title("Summary")
	for _, o := range done {
		d.screen.result(o)
	}
	for _, s := range steps[len(done):] {
		d.screen.say("  not run  " + s.title)
	}
	for _, m := range d.measured {
		d.screen.say("           " + m)
	}
	d.screen.say(fmt.Sprintf("%d of %d steps in %.0f s", len(steps)-len(steps[len(done):])-failures(done), len(steps), time.Since(began).Seconds()))
	return failed
}

func failures(done []outcome) int {
	n := 0
	for _, o := range done {
		if o.err != nil {
			n++
		}
	}
	return n
}
