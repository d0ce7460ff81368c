//go:build kernel

package ipvs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// recordingLink writes down what passes.
type recordingLink struct {
	link
	lines []string
}

func (l *recordingLink) send(b []byte) error {
	l.lines = append(l.lines, fmt.Sprintf("> %x", b))
	return l.link.send(b)
}

func (l *recordingLink) receive(b []byte, wait time.Duration) (int, error) {
	n, err := l.link.receive(b, wait)
	if err == nil {
		l.lines = append(l.lines, fmt.Sprintf("< %x", b[:n]))
	}
	return n, err
}

// TestKernelGolden does on this kernel what the recorded bytes were recorded
// of. It needs ip_vs_pe_sip. With TANDEM_GOLDEN it writes a new record to the file of that name.
func TestKernelGolden(t *testing.T) {
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	dummy := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "sync0", MTU: 1500}}
	if err := netlink.LinkAdd(dummy); err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr("10.9.0.1/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.AddrAdd(dummy, addr), netlink.LinkSetUp(dummy)); err != nil {
		t.Fatal(err)
	}
	l, err := openNetlink()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	record := &recordingLink{link: l}
	goldenSession(t, &Client{sock: newSocket(record, time.Minute)})
	if name := os.Getenv("TANDEM_GOLDEN"); name != "" && !t.Failed() {
		if err := os.WriteFile(name, []byte(strings.Join(record.lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
