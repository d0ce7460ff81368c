//go:build kernel

// These tests need root and a kernel with IPVS, and change the table of a
// network namespace that they make themselves.

package ipvs_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs"
)

// answerLimit is for the answers of a kernel that is busy.
const answerLimit = time.Minute

// kernelClient is a client in a new network namespace, which the test's
// goroutine stays in.
func kernelClient(t *testing.T) *ipvs.Client {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	if err != nil {
		missing(t, "new network namespace", err)
	}
	t.Cleanup(func() { ns.Close() })
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	c, err := ipvs.Open(answerLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Info(t.Context()); err != nil {
		missing(t, "IPVS", err)
	}
	return c
}

// missing fails the test where the kernel tests are asked for, and otherwise
// skips it.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("TANDEM_KERNEL_TESTS") == "1" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v (TANDEM_KERNEL_TESTS=1 makes this a failure)", what, err)
}

// ipvsadm runs ipvsadm in the test's namespace.
func ipvsadm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ipvsadm", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ipvsadm %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func sortedLines(s string) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	slices.Sort(out)
	return out
}

func mustTable(t *testing.T, c *ipvs.Client) ipvs.Table {
	t.Helper()
	got, err := c.Table(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustApply(t *testing.T, c *ipvs.Client, have, want ipvs.Table) []ipvs.Change {
	t.Helper()
	changes := ipvs.Diff(have, want, all)
	if err := c.Apply(context.Background(), changes); err != nil {
		t.Fatal(err)
	}
	return changes
}

// every is a table with every kind of setting.
func every() ipvs.Table {
	tun := func(s string, typ uint8, port, flags uint16) ipvs.Destination {
		return with(dest(s, 1), func(d *ipvs.Destination) {
			d.Forward, d.TunnelType, d.TunnelPort, d.TunnelFlags = ipvs.Tunnel, typ, port, flags
		})
	}
	route := func(d *ipvs.Destination) { d.Forward = ipvs.Route }
	udp := func(s *ipvs.Service) { s.Protocol = unix.IPPROTO_UDP }
	return table(
		entry(tcp("192.0.2.10:80"), dest("10.0.0.1:80", 1), dest("10.0.0.2:8080", 70000), dest("10.0.0.3:80", 0)),
		entry(with(tcp("192.0.2.10:443"), func(s *ipvs.Service) {
			s.Flags, s.Timeout, s.Netmask = ipvs.FlagPersistent, 300*time.Second, 24
		}), with(dest("10.0.0.1:443", 1), route), with(dest("10.0.0.2:443", 2147483647), route)),
		entry(with(tcp("192.0.2.11:80"), func(s *ipvs.Service) { s.Scheduler, s.Flags = "sh", ipvs.FlagSched1|ipvs.FlagSched2 }),
			with(dest("10.0.0.1:80", 1), func(d *ipvs.Destination) { d.UpperThreshold, d.LowerThreshold = 1000, 500 })),
		entry(with(tcp("192.0.2.12:80"), func(s *ipvs.Service) { s.Scheduler, s.Flags = "mh", ipvs.FlagSched1|ipvs.FlagSched2 })),
		entry(with(with(tcp("192.0.2.12:53"), udp), func(s *ipvs.Service) { s.Flags, s.Scheduler = ipvs.FlagOnePacket, "rr" }), dest("10.0.0.1:53", 1)),
		entry(with(tcp("192.0.2.13:80"), func(s *ipvs.Service) { s.Protocol = unix.IPPROTO_SCTP }), dest("10.0.0.1:80", 1)),
		entry(tcp("192.0.2.14:80"), tun("10.0.0.1:80", 0, 0, 0), tun("10.0.0.2:80", 1, 6080, 0), tun("10.0.0.3:80", 1, 6081, 1),
			tun("10.0.0.4:80", 2, 0, 0), tun("10.0.0.5:80", 2, 0, 1), tun("10.0.0.6:80", 1, 6080, 2), tun("[2001:db8::1]:80", 0, 0, 0)),
		entry(with(tcp("[2001:db8::10]:80"), func(s *ipvs.Service) {
			s.Flags, s.Timeout, s.Netmask = ipvs.FlagPersistent, 60*time.Second, 64
		}), dest("[2001:db8:1::1]:80", 1), with(dest("[2001:db8:1::2]:80", 2), route)),
		entry(with(tcp("[2001:db8::10]:443"), func(s *ipvs.Service) { s.Scheduler = "rr" })),
		entry(mark(3), with(dest("10.0.0.1:0", 1), route)),
		entry(with(mark(3), func(s *ipvs.Service) { s.IPv6, s.Netmask = true, 128 }), with(dest("[2001:db8:1::1]:0", 1), route)),
		entry(with(mark(4294967295), func(s *ipvs.Service) { s.Flags, s.Timeout, s.Netmask = ipvs.FlagPersistent, time.Hour, 0 })),
	)
}

func TestKernelHoldsWhatIsApplied(t *testing.T) {
	c := kernelClient(t)
	want := every()
	mustApply(t, c, nil, want)
	got := mustTable(t, c)
	if diff := cmp.Diff(want, got, equalTables); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if again := ipvs.Diff(got, want, all); len(again) > 0 {
		t.Errorf("a second diff is not empty: %v", again)
	}
	// What ipvsadm does not write, and what it writes wrongly.
	ours := strings.NewReplacer(" -x 1000 -y 500", "", "-f 4294967295", "-f -1").Replace(want.String())
	if diff := cmp.Diff(sortedLines(ours), sortedLines(ipvsadm(t, "-Sn"))); diff != "" {
		t.Errorf("ipvsadm -Sn (-ours +theirs):\n%s", diff)
	}
	if list := ipvsadm(t, "-Ln", "--thresholds"); !regexp.MustCompile(`10\.0\.0\.1:80 +1000 +500 `).MatchString(list) {
		t.Errorf("no thresholds 1000 and 500 in:\n%s", list)
	}
}

// TestKernelReadsWhatOthersSet restores ipvsadm's own rules, and finds them as
// it told them to the kernel.
func TestKernelReadsWhatOthersSet(t *testing.T) {
	c := kernelClient(t)
	cmd := exec.Command("ipvsadm", "-R")
	cmd.Stdin = strings.NewReader(every().String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ipvsadm -R: %v\n%s", err, out)
	}
	if diff := cmp.Diff(every(), mustTable(t, c), equalTables); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestKernelEditsInPlace(t *testing.T) {
	c := kernelClient(t)
	have := every()
	mustApply(t, c, nil, have)
	want := make(ipvs.Table)
	for k, e := range have {
		e.Scheduler, e.Flags, e.Timeout, e.Netmask = "wrr", ipvs.FlagPersistent, 77*time.Second, e.Netmask/2+1
		ds := slices.Clone(e.Destinations)
		for i := range ds {
			ds[i].Weight, ds[i].UpperThreshold, ds[i].LowerThreshold = 5, 20, 10
			ds[i].Forward, ds[i].TunnelType, ds[i].TunnelPort, ds[i].TunnelFlags = ipvs.Tunnel, 1, 7777, 1
		}
		e.Destinations = ds
		want[k] = e
	}
	for _, c := range mustApply(t, c, have, want) {
		if c.Op != ipvs.EditService && c.Op != ipvs.EditDestination {
			t.Errorf("%v is no edit", c)
		}
	}
	if diff := cmp.Diff(want, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	mustApply(t, c, want, have)
	if diff := cmp.Diff(have, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("table put back (-want +got):\n%s", diff)
	}
	mustApply(t, c, have, nil)
	if left := mustTable(t, c); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestKernelEngine needs ip_vs_pe_sip loaded, or where the kernel's modprobe
// finds it.
func TestKernelEngine(t *testing.T) {
	c := kernelClient(t)
	sip := with(tcp("192.0.2.10:5060"), func(s *ipvs.Service) {
		s.Protocol, s.Scheduler, s.Flags, s.Timeout = unix.IPPROTO_UDP, "rr", ipvs.FlagPersistent|ipvs.FlagOnePacket, time.Minute
		s.Engine = "sip"
	})
	with, without := table(entry(sip)), table(entry(sip))
	for k, e := range without {
		e.Engine = ""
		without[k] = e
	}
	mustApply(t, c, nil, with)
	if diff := cmp.Diff(with, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sortedLines(with.String()), sortedLines(ipvsadm(t, "-Sn"))); diff != "" {
		t.Errorf("ipvsadm -Sn (-ours +theirs):\n%s", diff)
	}
	mustApply(t, c, with, without)
	if diff := cmp.Diff(without, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("engine taken away (-want +got):\n%s", diff)
	}
}

func TestKernelRefusals(t *testing.T) {
	c := kernelClient(t)
	ctx := context.Background()
	bad := tcp("192.0.2.2:80")
	bad.Scheduler = "nosuch"
	want := table(
		entry(tcp("192.0.2.1:80"), dest("10.0.0.1:80", 1)),
		entry(bad, dest("10.0.0.1:80", 1), dest("10.0.0.2:80", 1)),
		entry(tcp("192.0.2.3:80"), dest("224.0.0.1:80", 1), dest("[2001:db8::1]:80", 1), dest("10.0.0.1:80", 1<<31),
			with(dest("10.0.0.2:80", 1), func(d *ipvs.Destination) { d.LowerThreshold = 2; d.UpperThreshold = 1 }), dest("10.0.0.3:80", 1)),
		entry(with(tcp("[2001:db8::1]:80"), func(s *ipvs.Service) { s.Netmask = 129 })),
		entry(tcp("192.0.2.5:80"), dest("10.0.0.1:80", 1)),
	)
	err := c.Apply(ctx, ipvs.Diff(nil, want, all))
	var refused *ipvs.ApplyError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v", err)
	}
	t.Log(err)
	var got []string
	for _, f := range refused.Failures {
		got = append(got, fmt.Sprintf("%v %v %v %v", f.Change.Op, f.Change.Service.Addr, f.Change.Destination.Addr, f.Consequence))
	}
	wantFailures := []string{
		"add-service 192.0.2.2 invalid IP false",
		"add-destination 192.0.2.2 10.0.0.1 true",
		"add-destination 192.0.2.2 10.0.0.2 true",
		"add-destination 192.0.2.3 224.0.0.1 false",
		"add-destination 192.0.2.3 2001:db8::1 false",
		"add-destination 192.0.2.3 10.0.0.1 false",
		"add-destination 192.0.2.3 10.0.0.2 false",
		"add-service 2001:db8::1 invalid IP false",
	}
	if diff := cmp.Diff(wantFailures, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	for _, part := range []string{`scheduler "nosuch" is unknown or its module not loaded (modprobe ip_vs_nosuch)`, "unicast", "needs tunnel", "2147483647"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error does not say %q", part)
		}
	}
	have := mustTable(t, c)
	for _, s := range []string{"192.0.2.1:80", "192.0.2.3:80", "192.0.2.5:80"} {
		if len(have[tcp(s).ServiceKey].Destinations) != 1 {
			t.Errorf("%s: %v, want one destination", s, have[tcp(s).ServiceKey])
		}
	}
	if len(have) != 3 {
		t.Errorf("%d services, want 3: %v", len(have), have)
	}
}

// TestKernelOutcomes applies changes that somebody else has forestalled.
func TestKernelOutcomes(t *testing.T) {
	c := kernelClient(t)
	web := tcp("192.0.2.10:80")
	web.Scheduler = "wrr"
	want := table(entry(web, dest("10.0.0.1:80", 2), dest("10.0.0.2:80", 3)))
	ipvsadm(t, "-A", "-t", "192.0.2.10:80", "-s", "rr")
	ipvsadm(t, "-a", "-t", "192.0.2.10:80", "-r", "10.0.0.1:80", "-m")
	mustApply(t, c, nil, want) // EEXIST, twice
	if diff := cmp.Diff(want, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("added over what was there (-want +got):\n%s", diff)
	}
	ipvsadm(t, "-d", "-t", "192.0.2.10:80", "-r", "10.0.0.1:80")
	other := table(entry(web, dest("10.0.0.1:80", 7), dest("10.0.0.2:80", 8)))
	mustApply(t, c, want, other) // ENOENT on an edit
	if diff := cmp.Diff(other, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("edited after a destination was gone (-want +got):\n%s", diff)
	}
	ipvsadm(t, "-C")
	web.Scheduler = "lc"
	third := table(entry(web, dest("10.0.0.1:80", 9), dest("10.0.0.2:80", 10)))
	mustApply(t, c, other, third) // ESRCH on edits
	if diff := cmp.Diff(third, mustTable(t, c), equalTables); diff != "" {
		t.Errorf("edited after the service was gone (-want +got):\n%s", diff)
	}
	ipvsadm(t, "-C")
	mustApply(t, c, third, nil)
	mustApply(t, c, third, table(entry(web)))
	err := c.Apply(context.Background(), []ipvs.Change{{Op: ipvs.EditDestination, Service: tcp("192.0.2.99:80"), Destination: dest("10.0.0.1:80", 1)}})
	if !errors.Is(err, ipvs.ErrGone) || !errors.Is(err, unix.ESRCH) {
		t.Errorf("edit of a destination of no service: %v", err)
	}
}

func TestKernelEntriesAndDigest(t *testing.T) {
	c := kernelClient(t)
	ctx := context.Background()
	want := every()
	mustApply(t, c, nil, want)
	absent := tcp("192.0.2.200:80").ServiceKey
	got, err := c.Entries(ctx, append(want.Keys(), absent))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equalTables); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	digest := func() ipvs.Digest {
		t.Helper()
		d, err := c.Digest(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := digest()
	for _, k := range want.Keys() {
		if _, ok := before[k]; !ok {
			t.Errorf("no fingerprint of %v", k)
		}
	}
	foretold := 0
	for k, e := range got {
		sum, ok := c.Fingerprint(e)
		if !ok {
			continue
		}
		if foretold++; sum != before[k] {
			t.Errorf("the fingerprint of %v is %x, not %x as foretold", k, before[k], sum)
		}
	}
	if foretold < 2 {
		t.Errorf("%d fingerprints foretold", foretold)
	}
	if diff := cmp.Diff(before, digest()); diff != "" {
		t.Errorf("an unchanged table has another digest:\n%s", diff)
	}
	changed := func(k ipvs.ServiceKey) []ipvs.ServiceKey {
		var out []ipvs.ServiceKey
		for key, sum := range digest() {
			if before[key] != sum {
				out = append(out, key)
			}
		}
		return out
	}
	ipvsadm(t, "-e", "-t", "192.0.2.10:80", "-r", "10.0.0.2:8080", "-m", "-w", "70001")
	k := tcp("192.0.2.10:80").ServiceKey
	if got := changed(k); len(got) != 1 || got[0] != k {
		t.Errorf("a weight changed in %v, the digest in %v", k, got)
	}
	before = digest()
	ipvsadm(t, "-d", "-t", "[2001:db8::10]:80", "-r", "[2001:db8:1::1]:80")
	k = tcp("[2001:db8::10]:80").ServiceKey
	if got := changed(k); len(got) != 1 || got[0] != k {
		t.Errorf("a destination is gone of %v, the digest has changed in %v", k, got)
	}
	before = digest()
	ipvsadm(t, "-D", "-f", "3")
	if got := changed(mark(3).ServiceKey); len(got) != 2 {
		t.Errorf("the IPv4 mark is gone, the digest has changed in %v, want both of that mark", got)
	}
	if got, err := c.Entries(ctx, []ipvs.ServiceKey{mark(3).ServiceKey}); err != nil || len(got) != 0 {
		t.Errorf("entry of a removed service: %v, %v", got, err)
	}
}

func TestKernelDaemonsTimeoutsInfo(t *testing.T) {
	c := kernelClient(t)
	ctx := context.Background()
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
	want := []ipvs.Daemon{
		{State: ipvs.DaemonMaster, Interface: "sync0", SyncID: 51, MaxLen: 1200, Group: netip.MustParseAddr("224.0.1.7"), Port: 9000, TTL: 3},
		{State: ipvs.DaemonBackup, Interface: "sync0", SyncID: 52, MaxLen: 1300, Group: netip.MustParseAddr("ff02::1:81"), Port: 9001, TTL: 1},
	}
	for _, d := range want {
		if err := c.StartDaemon(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Daemons(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equalTables); diff != "" {
		t.Errorf("daemons (-want +got):\n%s", diff)
	}
	if err := c.StartDaemon(ctx, want[0]); !errors.Is(err, unix.EEXIST) {
		t.Errorf("second master: %v", err)
	}
	if err := c.StartDaemon(ctx, ipvs.Daemon{State: ipvs.DaemonMaster, Interface: "nosuch0"}); err == nil {
		t.Error("a daemon on no interface has started")
	}
	for range 2 {
		if err := errors.Join(c.StopDaemon(ctx, ipvs.DaemonMaster), c.StopDaemon(ctx, ipvs.DaemonBackup)); err != nil {
			t.Error(err)
		}
	}
	if got, err := c.Daemons(ctx); err != nil || len(got) != 0 {
		t.Errorf("daemons after stop: %v, %v", got, err)
	}

	times := ipvs.Timeouts{TCP: 1000 * time.Second, TCPFin: 70 * time.Second, UDP: 90 * time.Second}
	if err := c.SetTimeouts(ctx, times); err != nil {
		t.Fatal(err)
	}
	if err := c.SetTimeouts(ctx, ipvs.Timeouts{UDP: 91 * time.Second}); err != nil {
		t.Fatal(err)
	}
	times.UDP = 91 * time.Second
	if got, err := c.Timeouts(ctx); err != nil || got != times {
		t.Errorf("timeouts %+v, %v, want %+v", got, err, times)
	}
	info, err := c.Info(ctx)
	if err != nil || info.Version[0] != 1 || info.ConnectionTableSize == 0 {
		t.Errorf("info %+v, %v", info, err)
	}

	mustApply(t, c, nil, every())
	k := tcp("192.0.2.10:80").ServiceKey
	if err := errors.Join(c.Zero(ctx, k), c.ZeroAll(ctx)); err != nil {
		t.Error(err)
	}
	if err := c.Zero(ctx, tcp("192.0.2.250:80").ServiceKey); !errors.Is(err, unix.ESRCH) {
		t.Errorf("zero of no service: %v", err)
	}
	if err := c.Flush(ctx); err != nil {
		t.Error(err)
	}
	if left := mustTable(t, c); len(left) > 0 {
		t.Errorf("left after flush: %v", left)
	}
}

// TestKernelNamespace uses a client from threads of another namespace.
func TestKernelNamespace(t *testing.T) {
	c := kernelClient(t)
	mustApply(t, c, nil, every())
	errs := make(chan error)
	go func() {
		runtime.LockOSThread()
		ns, err := netns.New()
		if err != nil {
			errs <- err
			return
		}
		defer ns.Close()
		got, err := c.Table(context.Background())
		if err == nil && len(got) != len(every()) {
			err = fmt.Errorf("%d services, want %d", len(got), len(every()))
		}
		if err == nil {
			var d ipvs.Digest
			if d, err = c.Digest(context.Background(), nil); err == nil && len(d) < len(every()) {
				err = fmt.Errorf("%d fingerprints, want %d", len(d), len(every()))
			}
		}
		errs <- err
	}()
	if err := <-errs; err != nil {
		t.Error(err)
	}
}

// TestKernelLoads prints how long a large table takes.
func TestKernelLoads(t *testing.T) {
	c := kernelClient(t)
	want := make(ipvs.Table)
	for i := range 1000 {
		s := tcp(fmt.Sprintf("10.1.%d.%d:80", i/250, i%250+1))
		e := entry(s)
		for j := range 10 {
			e.Destinations = append(e.Destinations, dest(fmt.Sprintf("10.2.%d.%d:%d", i%250, j+1, 8000+i/250), 1))
		}
		want[s.ServiceKey] = e
	}
	timed := func(what string, f func()) {
		begin := time.Now()
		f()
		t.Logf("%-40s %v", what, time.Since(begin).Round(10*time.Microsecond))
	}
	var changes []ipvs.Change
	timed("diff of 1000 services, 10000 destinations", func() { changes = ipvs.Diff(nil, want, all) })
	timed("apply", func() {
		if err := c.Apply(context.Background(), changes); err != nil {
			t.Fatal(err)
		}
	})
	var got ipvs.Table
	timed("full dump", func() { got = mustTable(t, c) })
	for range 2 {
		timed("digest", func() {
			if _, err := c.Digest(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	timed("diff of equal tables", func() { changes = ipvs.Diff(got, want, all) })
	if len(changes) > 0 {
		t.Errorf("%d changes of equal tables", len(changes))
	}
	timed("one weight", func() {
		k := want.Keys()[500]
		e := want[k]
		e.Destinations = slices.Clone(e.Destinations)
		e.Destinations[3].Weight = 0
		want[k] = e
		mustApply(t, c, got, want)
	})
	for round := range 3 {
		if err := c.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		timed(fmt.Sprintf("diff and apply again, round %d", round), func() { mustApply(t, c, nil, want) })
	}
	timed("remove all", func() { mustApply(t, c, want, nil) })
	if left := mustTable(t, c); len(left) > 0 {
		t.Errorf("%d services left", len(left))
	}
}
