package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// pace is how often the client that counts losses sends: once in a millisecond,
// in an emulated machine as often as it can keep up with.
func pace() time.Duration {
	if os.Getenv("TANDEM_VM_KIND") == "tcg" {
		return 5 * time.Millisecond
	}
	return time.Millisecond
}

func (d *demo) election() error {
	for _, a := range []*lab.Agent{d.lb1, d.lb2} {
		name := "tandem"
		if a.Program != d.tandem {
			name = d.peer
		}
		d.screen.typed(a.Host.Name, name+" -n -l -D -f keepalived.conf &", "")
		if err := a.Start(); err != nil {
			return err
		}
	}
	took, err := d.master(d.lb1)
	if err != nil {
		return err
	}
	d.note("lb1 master %.2f s after the start (3 adverts and the skew: %.2f s)", took.Seconds(), masterDown(150).Seconds())
	// The other has had its time, and has stayed backup.
	ctx, cancel := within(patience)
	defer cancel()
	if _, err := d.lab.Capture.WaitAdvert(ctx, 4, func(a lab.Advert) bool { return a.Source == d.lb1.Host.IPv4() }); err != nil {
		return err
	}
	if _, err := d.master(d.lb1); err != nil {
		return err
	}
	d.screen.good("four adverts later lb2 is backup still")
	return errors.Join(d.show(d.lb1), d.show(d.lb2))
}

// masterDown is how long a node of the priority waits before it takes over.
func masterDown(priority int) time.Duration {
	return 3*advert + advert*time.Duration(256-priority)/256
}

func (d *demo) spread() error {
	for _, name := range []string{"rs1", "rs2"} {
		if _, err := d.inTable(d.lb1, d.lab.Host(name), true); err != nil {
			return err
		}
	}
	if _, err := d.table(d.lb1); err != nil {
		return err
	}
	got, err := d.requests(20)
	if err != nil {
		return err
	}
	if got["rs1"] != 10 || got["rs2"] != 10 {
		return fmt.Errorf("20 requests in turn ended as %v", got)
	}
	d.screen.good("ten each")
	return nil
}

func (d *demo) serverDies() error {
	d.screen.typed("rs2", "kill $(pidof webserver)", "")
	if err := d.rs2.Close(); err != nil {
		return err
	}
	took, err := d.inTable(d.lb1, d.lab.Host("rs2"), false)
	if err != nil {
		return err
	}
	d.note("rs2 out of IPVS %.2f s after its death (checked each second, retried once)", took.Seconds())
	if _, err := d.table(d.lb1); err != nil {
		return err
	}
	got, err := d.requests(10)
	if err != nil {
		return err
	}
	if got["rs1"] != 10 {
		return fmt.Errorf("10 requests ended as %v", got)
	}
	d.screen.good("no request met the dead server")
	return nil
}

func (d *demo) serverReturns() error {
	d.screen.typed("rs2", "webserver &", "")
	if err := d.rs2.Start(); err != nil {
		return err
	}
	took, err := d.inTable(d.lb1, d.lab.Host("rs2"), true)
	if err != nil {
		return err
	}
	d.note("rs2 back in IPVS after %.2f s", took.Seconds())
	got, err := d.requests(10)
	if err != nil {
		return err
	}
	if got["rs1"] != 5 || got["rs2"] != 5 {
		return fmt.Errorf("10 requests in turn ended as %v", got)
	}
	return nil
}

// counted lets something happen while the client counts: from is who answers
// before, to who answers after.
func (d *demo) counted(from, to *lab.Agent, happen func() error) (lab.Result, error) {
	probe, err := d.client.Probe(netip.AddrPortFrom(vip, echoPort), pace())
	if err != nil {
		return lab.Result{}, err
	}
	ctx, cancel := within(4*advert + patience)
	defer cancel()
	err = probe.Wait(ctx, from.Host.Name, 50)
	if err == nil {
		err = happen()
	}
	if err == nil {
		err = waitMove(ctx, probe, to)
	}
	r, stopped := probe.Stop()
	return r, errors.Join(err, stopped)
}

// waitMove waits until only the node answers.
func waitMove(ctx context.Context, probe *lab.Probe, to *lab.Agent) error {
	return probe.Wait(ctx, to.Host.Name, 200)
}

func (d *demo) failover() error {
	r, err := d.counted(d.lb1, d.lb2, func() error {
		d.screen.typed("switch", "ip link set port-of-lb1 down", "")
		return d.lb1.Host.Cut()
	})
	if err != nil {
		return err
	}
	if len(r.Gaps) == 0 {
		return fmt.Errorf("nothing was lost, so nothing was cut: %v", r)
	}
	longest := r.Gaps[0]
	for _, g := range r.Gaps {
		if g.Lasted > longest.Lasted {
			longest = g
		}
	}
	if _, err := d.master(d.lb2); err != nil {
		return err
	}
	d.note("the client was without an answer for %.2f s (3 adverts and the skew: %.2f s)", longest.Lasted.Seconds(), masterDown(100).Seconds())
	if err := errors.Join(d.show(d.lb1), d.show(d.lb2)); err != nil {
		return err
	}
	got, err := d.requests(10)
	if err == nil && got["rs1"]+got["rs2"] != 10 {
		err = fmt.Errorf("10 requests ended as %v", got)
	}
	return err
}

func (d *demo) comesBack() error {
	d.screen.typed("switch", "ip link set port-of-lb1 up", "")
	if err := d.lb1.Host.Mend(); err != nil {
		return err
	}
	took, err := d.master(d.lb1)
	if err != nil {
		return err
	}
	d.note("lb1 master again %.2f s after its link was back", took.Seconds())
	_, err = d.requests(10)
	return err
}

func (d *demo) switchover() error {
	var out string
	r, err := d.counted(d.lb1, d.lb2, func() (err error) {
		out, err = d.lb1.Ask("switchover")
		return err
	})
	d.screen.typed("lb1", "tandem switchover", out)
	if err != nil {
		return err
	}
	if _, err := d.master(d.lb2); err != nil {
		return err
	}
	d.note("switchover from tandem to %s: %d of %d packets lost, one sent each %v", d.peer, r.Lost, r.Sent, pace())
	if err := d.show(d.lb1); err != nil {
		return err
	}
	if r.Lost != 0 {
		return fmt.Errorf("a switchover must lose nothing: %v", r)
	}
	_, err = d.requests(10)
	return err
}

func (d *demo) resume() error {
	var out string
	r, err := d.counted(d.lb2, d.lb1, func() (err error) {
		out, err = d.lb1.Ask("resume")
		return err
	})
	d.screen.typed("lb1", "tandem resume", out)
	if err != nil {
		return err
	}
	if _, err := d.master(d.lb1); err != nil {
		return err
	}
	d.note("taking over from %s that lives: %d of %d packets lost", d.peer, r.Lost, r.Sent)
	if d.peer == "tandem" && r.Lost != 0 {
		return fmt.Errorf("tandem yields without loss: %v", r)
	}
	return nil
}

func (d *demo) end() error {
	for _, a := range []*lab.Agent{d.lb2, d.lb1} {
		d.screen.typed(a.Host.Name, "kill -TERM $(cat keepalived.pid)", "")
		if err := a.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		ctx, cancel := within(patience)
		status, err := a.Wait(ctx)
		cancel()
		if err != nil {
			return err
		}
		if status != 0 {
			return fmt.Errorf("%s ended with %d", a.Host.Name, status)
		}
		if a.Host.Addresses.Has(vip) {
			return fmt.Errorf("%s has left its virtual address behind", a.Host.Name)
		}
		out, err := a.Host.Run("ipvsadm", "-Sn")
		if err != nil {
			return err
		}
		if strings.TrimSpace(out) != "" {
			return fmt.Errorf("%s has left this in IPVS: %s", a.Host.Name, out)
		}
	}
	d.screen.good("no address and no entry of the table is left")
	return nil
}
