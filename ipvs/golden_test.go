package ipvs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

var (
	cmpAddr     = cmpopts.EquateComparable(netip.Addr{})
	sortedDests = cmpopts.SortSlices(func(a, b Destination) bool { return a.String() < b.String() })
)

// goldenTable has every attribute, most of them with a value of its own.
func goldenTable() Table {
	at := func(s string) DestinationKey {
		a := netip.MustParseAddrPort(s)
		return DestinationKey{Addr: a.Addr(), Port: a.Port()}
	}
	entries := []Entry{
		{
			Service: Service{
				ServiceKey: ServiceKey{Protocol: unix.IPPROTO_TCP, Addr: netip.MustParseAddr("192.0.2.10"), Port: 443},
				Scheduler:  "sh", Flags: FlagPersistent | FlagSched1 | FlagSched2, Timeout: 300 * time.Second, Netmask: 24,
			},
			Destinations: []Destination{
				{DestinationKey: at("10.0.0.1:8443"), Forward: NAT, Weight: 70000, UpperThreshold: 1000, LowerThreshold: 500},
				{DestinationKey: at("10.0.0.2:443"), Forward: Route, Weight: 0},
				{DestinationKey: at("10.0.0.3:443"), Forward: Tunnel, Weight: 3, TunnelType: 1, TunnelPort: 6080, TunnelFlags: 1},
				{DestinationKey: at("[2001:db8::1]:443"), Forward: Tunnel, Weight: 4, TunnelType: 2},
			},
		},
		{
			Service: Service{
				ServiceKey: ServiceKey{IPv6: true, Protocol: unix.IPPROTO_UDP, Addr: netip.MustParseAddr("2001:db8::10"), Port: 5060},
				Scheduler:  "rr", Flags: FlagPersistent | FlagOnePacket, Timeout: 60 * time.Second, Netmask: 64, Engine: "sip",
			},
			Destinations: []Destination{{DestinationKey: at("[2001:db8:1::1]:5060"), Forward: NAT, Weight: 1}},
		},
		{Service: Service{ServiceKey: ServiceKey{FWMark: 7}, Scheduler: "wlc", Netmask: 32}},
	}
	t := make(Table)
	for _, e := range entries {
		t[e.ServiceKey] = e
	}
	return t
}

// goldenSession is what was done on a kernel while every byte was recorded, and
// what it must come to.
func goldenSession(t *testing.T, c *Client) {
	t.Helper()
	ctx := context.Background()
	all := func(ServiceKey) bool { return true }
	want := goldenTable()
	key := want.Keys()[1]

	if err := c.Apply(ctx, Diff(nil, want, all)); err != nil {
		t.Fatal(err)
	}
	got, err := c.Table(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpAddr, sortedDests, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	absent := ServiceKey{FWMark: 99}
	if got, err = c.Entries(ctx, []ServiceKey{absent, key}); err != nil || len(got) != 1 || got[key].Service != want[key].Service {
		t.Errorf("entries: %v, %v", got, err)
	}

	goldenBatch(t, c, want)

	// The kernel starts no sync daemon beside a destination of another family.
	if err := c.Apply(ctx, Diff(want, Table{}, all)); err != nil {
		t.Error(err)
	}
	for _, d := range goldenDaemons() {
		if err := c.StartDaemon(ctx, d); err != nil {
			t.Error(err)
		}
	}
	daemons, err := c.Daemons(ctx)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(goldenDaemons(), daemons, cmpAddr); diff != "" {
		t.Errorf("daemons (-want +got):\n%s", diff)
	}
	if err := errors.Join(c.StopDaemon(ctx, DaemonMaster), c.StopDaemon(ctx, DaemonBackup), c.StopDaemon(ctx, DaemonBackup)); err != nil {
		t.Error(err)
	}

	times := Timeouts{TCP: 1000 * time.Second, TCPFin: 70 * time.Second, UDP: 90 * time.Second}
	if err := c.SetTimeouts(ctx, times); err != nil {
		t.Error(err)
	}
	if got, err := c.Timeouts(ctx); err != nil || got != times {
		t.Errorf("timeouts %+v, %v", got, err)
	}
	if info, err := c.Info(ctx); err != nil || info != (Info{Version: [3]uint8{1, 2, 1}, ConnectionTableSize: 4096}) {
		t.Errorf("info %+v, %v", info, err)
	}
	if err := errors.Join(c.Zero(ctx, ServiceKey{FWMark: 10}), c.ZeroAll(ctx), c.Flush(ctx)); err != nil {
		t.Error(err)
	}
}

// goldenBatch is one batch of which the kernel refuses some in its midst.
func goldenBatch(t *testing.T, c *Client, want Table) {
	t.Helper()
	first := want[want.Keys()[0]]
	service := func(k ServiceKey, scheduler string) Service {
		return Service{ServiceKey: k, Scheduler: scheduler, Netmask: 32}
	}
	unknown := ServiceKey{FWMark: 8}
	dest := goldenTable()[want.Keys()[1]].Destinations[0]
	err := c.Apply(context.Background(), []Change{
		{Op: AddService, Service: first.Service}, // there already
		{Op: AddService, Service: service(unknown, "nosuch")},
		{Op: AddDestination, Service: service(unknown, "nosuch"), Destination: dest},
		{Op: DeleteDestination, Service: first.Service, Destination: Destination{DestinationKey: DestinationKey{Addr: netip.MustParseAddr("10.9.9.9"), Port: 1}}},
		{Op: DeleteService, Service: service(ServiceKey{FWMark: 9}, "")},
		{Op: AddService, Service: service(ServiceKey{FWMark: 10}, "rr")},
	})
	var refused *ApplyError
	if !errors.As(err, &refused) || len(refused.Failures) != 2 {
		t.Fatalf("batch: %v", err)
	}
	for i, f := range refused.Failures {
		if f.Change.Service.ServiceKey != unknown || f.Consequence != (i == 1) {
			t.Errorf("failure %d: %+v", i, f)
		}
	}
	if !errors.Is(refused.Failures[0].Err, unix.ENOENT) || !errors.Is(refused.Failures[1].Err, unix.ESRCH) {
		t.Errorf("causes: %v", refused.Failures)
	}
}

func goldenDaemons() []Daemon {
	return []Daemon{
		{State: DaemonMaster, Interface: "sync0", SyncID: 51, MaxLen: 1200, Group: netip.MustParseAddr("224.0.1.7"), Port: 9000, TTL: 3},
		{State: DaemonBackup, Interface: "sync0", SyncID: 52, MaxLen: 1300, Group: netip.MustParseAddr("ff02::1:81"), Port: 9001, TTL: 1},
	}
}

const goldenFile = "kernel-6.1.txt"

// replayLink answers with what a kernel answered, to exactly the bytes that it
// was sent then. In its lines > is to the kernel and < from it.
type replayLink struct {
	t     *testing.T
	lines []string
}

func (l *replayLink) next(direction string) ([]byte, bool) {
	if len(l.lines) == 0 || !strings.HasPrefix(l.lines[0], direction) {
		return nil, false
	}
	b, err := hex.DecodeString(strings.TrimPrefix(l.lines[0], direction))
	if err != nil {
		l.t.Fatal(err)
	}
	l.lines = l.lines[1:]
	return b, true
}

func (l *replayLink) send(b []byte) error {
	want, ok := l.next("> ")
	if !ok {
		l.t.Fatalf("sent %x where the record has no message", b)
	}
	if !bytes.Equal(want, b) {
		l.t.Fatalf("sent\n%swant\n%s", hex.Dump(b), hex.Dump(want))
	}
	return nil
}

func (l *replayLink) receive(b []byte, _ time.Duration) (int, error) {
	answer, ok := l.next("< ")
	if !ok {
		return 0, os.ErrDeadlineExceeded
	}
	return copy(b, answer), nil
}

func (l *replayLink) close() {}

func readGolden(t testing.TB) []string {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the record is of a little-endian machine")
	}
	f, err := os.Open(filepath.Join("testdata", goldenFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if strings.HasPrefix(s.Text(), "> ") || strings.HasPrefix(s.Text(), "< ") {
			lines = append(lines, s.Text())
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestGoldenBytesOfAKernel(t *testing.T) {
	replay := &replayLink{t: t, lines: readGolden(t)}
	goldenSession(t, &Client{sock: newSocket(replay, time.Second)})
	if len(replay.lines) > 0 {
		t.Errorf("%d datagrams of the record were not used", len(replay.lines))
	}
}
