//go:build kernel

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/integration/lab"
)

// The kernel's names of changes to the table (IPVS_CMD_*, ip_vs.h).
var ipvsChanges = map[byte]string{1: "new service", 2: "set service", 3: "del service", 5: "new dest", 6: "set dest", 7: "del dest", 16: "zero", 17: "flush"}

// overheard is what is asked of a host's kernel over netlink.
type overheard struct {
	fd     int
	family uint16
}

// overhear listens to all netlink sockets of a host.
func overhear(t *testing.T, h *lab.Host) *overheard {
	t.Helper()
	o := &overheard{fd: -1}
	must(t, h.IP("link add nlmon0 type nlmon", "link set nlmon0 up"))
	must(t, h.In(func() error {
		family, err := netlink.GenlFamilyGet("IPVS")
		if err != nil {
			return err
		}
		o.family = family.ID
		nic, err := net.InterfaceByName("nlmon0")
		if err != nil {
			return err
		}
		all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
		if o.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all)); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(o.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20); err != nil {
			return err
		}
		return unix.Bind(o.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: nic.Index})
	}))
	t.Cleanup(func() { _ = unix.Close(o.fd) })
	return o
}

// changes are those of IPVS that were asked for since the last call.
func (o *overheard) changes(t *testing.T) []string {
	t.Helper()
	var out []string
	buf := make([]byte, 1<<18)
	for {
		n, _, err := unix.Recvfrom(o.fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) {
			return out
		}
		must(t, err)
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			continue
		}
		for _, m := range messages {
			if m.Header.Type != o.family || m.Header.Flags&unix.NLM_F_REQUEST == 0 || len(m.Data) < 4 {
				continue
			}
			if name := ipvsChanges[m.Data[0]]; name != "" {
				out = append(out, name)
			}
		}
	}
}

// TestIPVSReloadSends has a reload send what differs and nothing else, as the
// kernel hears it.
func TestIPVSReloadSends(t *testing.T) {
	t.Parallel()
	const services = 8
	conf := func(change ...string) string {
		var b strings.Builder
		for i := range services {
			fmt.Fprintf(&b, "virtual_server 10.9.0.%d 80 {\n  protocol TCP\n  lvs_sched rr\n  persistence_timeout 50\n", 1+i)
			for s := range 3 {
				fmt.Fprintf(&b, "  real_server 10.9.1.%d 80 {\n    weight 2\n    uthreshold 9\n  }\n", 1+s)
			}
			b.WriteString("}\n")
		}
		return strings.NewReplacer(change...).Replace(b.String())
	}
	h := newLab(t, "lb1").Host("lb1")
	a := agent(t, h, "tandem", conf())
	o := overhear(t, h)
	start(t, a)
	sent := func(what string, lines int, want ...string) {
		t.Helper()
		began := time.Now()
		var got []string
		eventually(t, patience, what, func() error {
			got = append(got, o.changes(t)...)
			now, err := table(h)
			if err == nil && len(now) != lines {
				err = fmt.Errorf("%d lines of %d", len(now), lines)
			}
			// What else was to be sent would be under way by now.
			if err == nil && (len(got) < len(want) || time.Since(began) < 2*time.Second) {
				err = fmt.Errorf("only %q was sent", got)
			}
			return err
		})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s sent %q, not %q", what, got, want)
		}
	}
	var all []string
	for range services {
		all = append(all, "new service", "new dest", "new dest", "new dest")
	}
	sent("the start", services*4, all...)
	blocks := strings.SplitAfter(conf(), "\n}\n")
	for _, c := range []struct {
		what, text string
		lines      int
		want       []string
	}{
		{"an unchanged reload", conf(), services * 4, nil},
		{"one more server", conf("10.9.0.7 80 {", "10.9.0.7 80 {\n  real_server 10.9.1.9 80 {\n  }\n"), services*4 + 1, []string{"new dest"}},
		{"one server less", conf(), services * 4, []string{"del dest"}},
		{"another time-out", strings.Replace(conf(), "timeout 50", "timeout 60", 1), services * 4, []string{"set service"}},
		{"another threshold", strings.Replace(strings.Replace(conf(), "timeout 50", "timeout 60", 1), "uthreshold 9", "uthreshold 8", 1), services * 4, []string{"set dest"}},
		{"one service less", strings.Join(blocks[1:], ""), services*4 - 4, []string{"del service"}},
	} {
		must(t, a.Write(c.text))
		ask(t, a, "reload")
		sent(c.what, c.lines, c.want...)
	}
}
