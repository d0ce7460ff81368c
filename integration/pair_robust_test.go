//go:build kernel

package integration

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/tandem-ha/tandem/integration/lab"
)

// packet builds a version 3 advert by hand: the test shares no code with what it
// tests. The checksum covers the pseudo header (RFC 9568 5.2.8).
func packet(vrid, priority byte, src, dst netip.Addr, vip netip.Addr) []byte {
	b := []byte{0x31, vrid, priority, 1, 0, 20, 0, 0}
	b = append(b, vip.AsSlice()...)
	pseudo := append(append(src.AsSlice(), dst.AsSlice()...), 0, 112)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(b)))
	binary.BigEndian.PutUint16(b[6:], checksum(append(pseudo, b...)))
	return b
}

func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// vrrpGroup is where version 3 and 2 adverts for IPv4 go.
var vrrpGroup = netip.MustParseAddr("224.0.0.18")

// send sends VRRP payloads from a host to the group.
func send(t *testing.T, h *lab.Host, ttl int, payloads ...[]byte) {
	t.Helper()
	err := h.In(func() error {
		c, err := net.ListenPacket("ip4:112", h.IPv4().String())
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		p := ipv4.NewPacketConn(c)
		nic, err := net.InterfaceByName(lab.NIC)
		if err != nil {
			return err
		}
		if err := errors.Join(p.SetMulticastInterface(nic), p.SetMulticastTTL(ttl), p.SetMulticastLoopback(false)); err != nil {
			return err
		}
		for _, b := range payloads {
			if _, err := c.WriteTo(b, &net.IPAddr{IP: vrrpGroup.AsSlice()}); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
}

// TestPairJunk sends what is no advert for us to a master and a backup: each
// packet is counted by its reason, and neither changes.
func TestPairJunk(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "tandem")
	p.lead()
	began := time.Now()
	src, vip := p.client.IPv4(), m.vip(0).Addr()
	good := func(vrid byte) []byte { return packet(vrid, 250, src, vrrpGroup, vip) }
	change := func(f func(b []byte)) []byte {
		b := good(51)
		f(b)
		return b
	}
	for _, c := range []struct {
		reason  string
		ttl     int
		payload []byte
	}{
		{"ttl", 254, good(51)},
		{"checksum", 255, change(func(b []byte) { b[6] ^= 0xff })},
		{"version", 255, change(func(b []byte) { b[0] = 0x71 })},
		{"type", 255, change(func(b []byte) { b[0] = 0x32; fix(b, src) })},
		{"length", 255, good(51)[:6]},
		{"length", 255, change(func(b []byte) { b[3] = 9; fix(b, src) })},
	} {
		before := [2]uint64{dropped(t, p.lb1, c.reason), dropped(t, p.lb2, c.reason)}
		send(t, p.client, c.ttl, c.payload)
		for i, a := range []*lab.Agent{p.lb1, p.lb2} {
			eventually(t, slack, "count "+c.reason+" on "+a.Host.Name, func() error {
				if n := dropped(t, a, c.reason); n <= before[i] {
					return errors.New("it was not counted")
				}
				return nil
			})
		}
	}
	// A virtual router that is not ours.
	before := dropped(t, p.lb1, "unknown-vrid")
	send(t, p.client, 255, good(77), good(77))
	eventually(t, slack, "count a foreign virtual router", func() error {
		if n := dropped(t, p.lb1, "unknown-vrid"); n < before+2 {
			return errors.New("it was not counted")
		}
		return nil
	})
	// Many, and of every length: nothing but the counts may change.
	var flood [][]byte
	for i := range 1000 {
		flood = append(flood, change(func(b []byte) { b[i%len(b)] ^= byte(1 + i%255); b[0] |= 0xc0 })[:i%13])
	}
	send(t, p.client, 255, flood...)
	p.steady(p.lb1)
	for _, n := range []*lab.Agent{p.lb1, p.lb2} {
		for _, e := range n.Host.Addresses.Events(began) {
			t.Errorf("junk moved an address on %s: %+v", n.Host.Name, e)
		}
	}
	if s := instance(t, p.lb1, "VI_1"); s.StateName != "MASTER" || s.Counters.BecameMaster != 1 {
		t.Errorf("after the junk lb1 is %s, %d times master", s.StateName, s.Counters.BecameMaster)
	}
}

// fix makes the checksum right again after a change.
func fix(b []byte, src netip.Addr) {
	b[6], b[7] = 0, 0
	pseudo := append(append(src.AsSlice(), vrrpGroup.AsSlice()...), 0, 112)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(b)))
	binary.BigEndian.PutUint16(b[6:], checksum(append(pseudo, b...)))
}

// TestPairJunkPassword sends version 2 adverts with no password and with a wrong
// one: counted, and nothing changes.
func TestPairJunkPassword(t *testing.T) {
	t.Parallel()
	m := mode{version: 2, advert: time.Second}
	p := newPair(t, m, "tandem", "tandem")
	p.lead()
	v2 := func(authType byte, password string) []byte {
		b := append([]byte{0x21, 51, 250, 1, authType, 1, 0, 0}, m.vip(0).Addr().AsSlice()...)
		b = append(b, make([]byte, 8)...)
		// RFC 2338 5.3.8: the checksum covers the data with the password in it.
		copy(b[len(b)-8:], password)
		binary.BigEndian.PutUint16(b[6:], checksum(b))
		return b
	}
	for reason, b := range map[string][]byte{
		"auth-mismatch": v2(0, ""),
		"auth-failed":   v2(1, "guessed1"),
	} {
		before := dropped(t, p.lb2, reason)
		send(t, p.client, 255, b)
		eventually(t, slack, "count "+reason, func() error {
			if dropped(t, p.lb2, reason) == before {
				return errors.New("it was not counted")
			}
			return nil
		})
	}
	p.steady(p.lb1)
}

// TestPairCrash kills a master and starts it again at once: it is master still,
// and its addresses were there all the time.
func TestPairCrash(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			m := mode{version: 3, advert: time.Second, vips: 20}
			p := newPair(t, m, "tandem", peer)
			p.lead()
			began := time.Now()
			probe := p.probe()
			if err := probe.Wait(within(t, slack), "lb1", 50); err != nil {
				t.Fatal(err)
			}
			p.lb1.Kill()
			start(t, p.lb1)
			isIn(t, p.lb1, "VI_1", "MASTER", slack)
			p.steady(p.lb1)
			r, err := probe.Stop()
			must(t, err)
			t.Logf("LOSS killed and started again: %v", r)
			if r.Lost != 0 {
				t.Errorf("packets lost: %v", r)
			}
			for _, n := range []*lab.Agent{p.lb1, p.lb2} {
				for _, e := range n.Host.Addresses.Events(began) {
					t.Errorf("an address moved on %s: %+v", n.Host.Name, e)
				}
			}
		})
	}
}

// TestPairCrashLate kills a master and starts it again when the peer has taken
// over: no address is left behind, and it is backup.
func TestPairCrashLate(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"tandem", "keepalived"} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			m := mode{version: 3, advert: 200 * time.Millisecond, vips: 20}
			p := newPair(t, m, "tandem", peer, "nopreempt")
			p.lead()
			p.lb1.Kill()
			if err := p.lb2.Host.Addresses.Wait(within(t, m.masterDown(100)+slack), true, p.vips()...); err != nil {
				t.Fatalf("the peer did not take over: %v", err)
			}
			for _, a := range p.vips() {
				if !p.lb1.Host.Addresses.Has(a) {
					t.Fatalf("%s had gone before tandem was started again: nothing is tested", a)
				}
			}
			start(t, p.lb1)
			p.holds(p.lb2, slack)
			isIn(t, p.lb1, "VI_1", "BACKUP", slack)
			p.steady(p.lb2)
		})
	}
}

// TestPairReload reloads a master: unchanged is nothing, invalid is refused, an
// address more or less is only that, and it stays master.
func TestPairReload(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	p.lead()
	h1, h2 := p.lb1.Host, p.lb2.Host
	conf := m.conf(h1, h2, 150)
	began := time.Now()

	must(t, p.lb1.Signal(syscall.SIGHUP))
	last := reloaded(t, p.lb1, time.Time{})
	if !last.OK || last.Changed {
		t.Errorf("an unchanged file: %+v", last)
	}

	must(t, p.lb1.Write(strings.Replace(conf, "virtual_router_id 51", "", 1)))
	must(t, p.lb1.Signal(syscall.SIGHUP))
	last = reloaded(t, p.lb1, last.Time)
	if last.OK || last.Err == "" {
		t.Errorf("a file that cannot run: %+v", last)
	}
	if _, err := p.lb1.Ask("reload"); err == nil {
		t.Error("tandem reload of a file that cannot run ends with 0")
	}
	if events := h1.Addresses.Events(began); len(events) > 0 {
		t.Errorf("addresses moved: %+v", events)
	}

	more := netip.MustParseAddr("192.0.2.200")
	must(t, p.lb1.Write(strings.Replace(conf, "virtual_ipaddress {", "virtual_ipaddress {\n    192.0.2.200/24", 1)))
	must(t, p.lb1.Signal(syscall.SIGHUP))
	if err := h1.Addresses.Wait(within(t, slack), true, more); err != nil {
		t.Errorf("an address more: %v", err)
	}
	must(t, p.lb1.Write(conf))
	t.Log(ask(t, p.lb1, "reload"))
	if err := h1.Addresses.Wait(within(t, slack), false, more); err != nil {
		t.Errorf("the address less: %v", err)
	}
	p.holds(p.lb1, slack)
	for _, e := range h1.Addresses.Events(began) {
		if e.Addr != more {
			t.Errorf("a reload moved %+v", e)
		}
	}
	if s := instance(t, p.lb1, "VI_1"); s.StateName != "MASTER" || s.Counters.BecameMaster != 1 {
		t.Errorf("after the reloads lb1 is %s, %d times master", s.StateName, s.Counters.BecameMaster)
	}
}

// writeScript writes an executable file beside an agent's others.
func writeScript(t testing.TB, a *lab.Agent, name, text string) string {
	t.Helper()
	path := filepath.Join(a.Dir, name)
	must(t, lab.WriteProgram(path, []byte("#!/bin/sh\n"+text), 0o755))
	return path
}

// withHead puts lines before the rest of a configuration.
func withHead(a *lab.Agent, head string) error {
	b, err := os.ReadFile(a.Conf())
	if err != nil {
		return err
	}
	return a.Write(head + string(b))
}

// TestPairStatusWhileFailing asks for the status while nothing works.
func TestPairStatusWhileFailing(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 100 * time.Millisecond, vips: 50}
	p := newPair(t, m, "tandem", "tandem", "track_script {", "  broken", "  stuck", "}")
	head := "global_defs {\n  script_user root\n}\n" +
		"vrrp_script broken {\n  script \"" + writeScript(t, p.lb1, "broken", "exit 3\n") + "\"\n  interval 1\n  weight -10\n}\n" +
		"vrrp_script stuck {\n  script \"" + writeScript(t, p.lb1, "stuck", "sleep 60\n") + "\"\n  interval 1\n  timeout 1\n}\n"
	must(t, withHead(p.lb1, head))
	start(t, p.lb1)
	isIn(t, p.lb1, "VI_1", "FAULT", slack)
	must(t, p.lb1.Host.Cut())
	for i := range 20 {
		began := time.Now()
		s, err := tryStatus(p.lb1)
		if err != nil {
			t.Fatalf("status, try %d: %v", i, err)
		}
		if took := time.Since(began); took > slack {
			t.Errorf("status took %v", took)
		}
		if len(s.Instances) != 1 || s.Instances[0].StateName != "FAULT" || len(s.Instances[0].Faults) == 0 {
			t.Fatalf("status: %+v", s.Instances)
		}
	}
	text := ask(t, p.lb1, "status")
	if !strings.Contains(text, "FAULT") {
		t.Errorf("status for people does not say so:\n%s", text)
	}
}
