//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// relayAddr is where the nodes of these tests find their mail relay.
var relayAddr = netip.MustParseAddrPort("127.0.0.1:2525")

// teller is a node by itself that tells of everything in every way.
type teller struct {
	t     *testing.T
	a     *lab.Agent
	relay *lab.Relay
	conf  string
}

// tellingConf has a sync group of two and a lone instance; SCRIPT, DIR and UP are
// put in.
const tellingConf = `global_defs {
  router_id lb
  script_user root
  enable_script_security
  notification_email {
    a@example.com
    b@example.com
  }
  notification_email_from lb@example.com
  smtp_server 127.0.0.1 2525
  smtp_helo_name lb.example.com
  smtp_alert_vrrp
  notify_fifo DIR/all.fifo nobody nogroup
  notify_fifo_script "SCRIPT read DIR/all.read"
  vrrp_notify_fifo DIR/vrrp.fifo
  vrrp_notify_fifo_script "SCRIPT read DIR/vrrp.read"
  vrrp_notify_priority_changes true
  vrrp_version 3
}
vrrp_script up {
  script "SCRIPT check UP"
  interval 1
  weight -20
}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
  notify_master "SCRIPT tell group-master"
  notify_backup "SCRIPT tell group-backup"
  notify_fault "SCRIPT tell group-fault"
  notify_stop "SCRIPT tell group-stop"
  notify "SCRIPT tell group-any"
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 150
  advert_int 0.3
  virtual_ipaddress {
    10.9.0.1/32
  }
  notify_master "SCRIPT tell 1-master"
  notify_backup "SCRIPT tell 1-backup"
  notify_fault "SCRIPT tell 1-fault"
  notify_stop "SCRIPT tell 1-stop"
  notify "SCRIPT tell 1-any"
  notify_master_rx_lower_pri "SCRIPT tell 1-lower"
}
vrrp_instance VI_2 {
  interface eth0
  virtual_router_id 52
  priority 140
  advert_int 0.3
  smtp_alert no
  virtual_ipaddress {
    10.9.0.2/32
  }
  notify "SCRIPT tell 2-any" nobody nogroup
}
vrrp_instance VI_3 {
  interface eth0
  virtual_router_id 53
  priority 130
  advert_int 0.3
  track_script {
    up
  }
  virtual_ipaddress {
    10.9.0.3/32
  }
  notify_fault "SCRIPT tell 3-fault"
  notify "SCRIPT tell 3-any"
}
vrrp_instance VI_4 {
  interface eth0
  virtual_router_id 54
  priority 120
  advert_int 0.3
  virtual_ipaddress {
    10.9.0.4/32
  }
  notify_deleted "SCRIPT tell 4-deleted"
  notify "SCRIPT tell 4-any"
}
`

// tellingScript is every script of these tests: it tells its arguments, its
// user and its environment, or reads a FIFO, or is a tracking script. What is
// told goes to a file by the first word, so that lines of scripts that
// run at the same time stay apart.
const tellingScript = `case $1 in
tell) shift; echo "$(id -un):$(id -gn) $*" >>"DIR/told.$1"; env | sort >"DIR/env.$1" ;;
read) exec cat <"$3" >>"$2" ;;
check) [ -e "$2" ] ;;
esac
`

func newTeller(t *testing.T, program string) *teller {
	t.Helper()
	l := newLab(t, "node", "peer")
	h := l.Host("node")
	relay, err := h.Relay(relayAddr)
	must(t, err)
	n := &teller{t: t, a: agent(t, h, program, ""), relay: relay}
	// The scripts of others write here, too.
	dir := n.dir()
	must(t, os.Mkdir(dir, 0o777))
	must(t, os.Chmod(dir, 0o777))
	script := writeScript(t, n.a, "script", strings.ReplaceAll(tellingScript, "DIR", dir))
	n.conf = strings.NewReplacer("SCRIPT", script, "DIR", dir, "UP", dir+"/up").Replace(tellingConf)
	must(t, n.a.Write(n.conf))
	return n
}

func (n *teller) dir() string { return filepath.Join(n.a.Dir, "told") }

// play is the scenario: start, master, a script that fails and one that does not,
// a worse master, a fault and its end, reloads that delete, the end.
func (n *teller) play() {
	t := n.t
	start(t, n.a)
	vip := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, i}) }
	h := n.a.Host
	holds := func(present bool, which ...byte) {
		t.Helper()
		for _, i := range which {
			if err := h.Addresses.Wait(within(t, 2*slack), present, vip(i)); err != nil {
				t.Fatalf("%s: %v", filepath.Base(n.a.Program), err)
			}
		}
	}
	holds(true, 1, 2, 3, 4)
	n.wait(`INSTANCE "VI_3" MASTER 110`)
	must(t, os.WriteFile(n.dir()+"/up", nil, 0o644))
	n.wait(`INSTANCE "VI_3" MASTER_PRIORITY 130`)
	n.worse()
	n.wait(`INSTANCE "VI_1" MASTER_RX_LOWER_PRI 150`)
	must(t, h.Cut())
	holds(false, 1, 2, 3, 4)
	// keepalived runs the scripts of two changes at the same time.
	n.tells(" FAULT ", 1, "1-any", "2-any", "3-any", "4-any", "group-any")
	n.tells("-fault", 1, "1-fault", "3-fault", "group-fault")
	n.mails(1, "VI_3 - Entering FAULT state", "VI_4 - Entering FAULT state")
	n.settle()
	must(t, h.Mend())
	holds(true, 1, 2, 3, 4)
	n.wait(`INSTANCE "VI_4" MASTER 120`)
	n.tells(" MASTER ", 2, "1-any", "2-any", "3-any", "4-any", "group-any")
	n.tells("-master", 2, "1-master", "group-master")
	n.mails(2, "VI_3 - Entering MASTER state", "VI_4 - Entering MASTER state")
	// keepalived opens its FIFOs anew at a reload.
	n.settle()
	i := strings.Index(n.conf, "vrrp_instance VI_3")
	must(t, n.a.Write(n.conf[:i]))
	must(t, n.a.Signal(syscall.SIGHUP))
	holds(false, 3, 4)
	n.tells("4-deleted", 1, "4-deleted")
	// A keepalived that stops sends no more.
	n.mails(1, "VI_4 - Deleted")
	n.mails(2, "VI_3 - Entering FAULT state")
	n.settle()
	must(t, n.a.Stop(2*slack))
	n.tells(" STOP ", 1, "1-any", "2-any", "group-any")
	n.tells("-stop", 1, "1-stop", "group-stop")
	n.settle()
}

// tells waits until these scripts have each told so often of something.
func (n *teller) tells(what string, times int, scripts ...string) {
	n.t.Helper()
	for _, s := range scripts {
		eventually(n.t, slack, s+" tells of "+strings.Trim(what, " -"), func() error {
			got := lines(n.t, filepath.Join(n.dir(), "told."+s), "")
			if strings.Count(strings.Join(got, "\n"), what) < times {
				return fmt.Errorf("%s has %q", filepath.Base(n.a.Program), got)
			}
			return nil
		})
	}
}

// mails waits until there were so many e-mails about each of these.
func (n *teller) mails(times int, subjects ...string) {
	n.t.Helper()
	for _, s := range subjects {
		eventually(n.t, slack, "e-mail: "+s, func() error {
			if got := n.letters(); len(got["[lb] VRRP Instance "+s]) < times {
				return fmt.Errorf("%s has sent %q", filepath.Base(n.a.Program), slices.Sorted(maps.Keys(got)))
			}
			return nil
		})
	}
}

// wait waits for a line of vrrp_notify_fifo to have been read.
func (n *teller) wait(line string) {
	n.t.Helper()
	eventually(n.t, 2*slack, line, func() error {
		if got := lines(n.t, n.dir()+"/vrrp.read", ""); !slices.Contains(got, line) {
			return fmt.Errorf("%s has told %q", filepath.Base(n.a.Program), got)
		}
		return nil
	})
}

// settle waits until nothing more is told for a while.
func (n *teller) settle() {
	n.t.Helper()
	last, since := "", time.Now()
	eventually(n.t, 3*slack, "silence", func() error {
		now := fmt.Sprint(n.told(), n.letters())
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 700*time.Millisecond {
			return fmt.Errorf("still telling")
		}
		return nil
	})
}

// worse sends an advert of a master of priority 50 for VI_1, from the peer.
func (n *teller) worse() {
	n.t.Helper()
	peer := n.a.Host.Neighbour("peer")
	// RFC 9568 5.1: version 3 advert, VRID 51, priority 50, one address, 0.3 s.
	b := []byte{0x31, 51, 50, 1, 0, 30, 0, 0, 10, 9, 0, 1}
	pseudo := append(append(peer.IPv4().AsSlice(), 224, 0, 0, 18, 0, 112, 0, byte(len(b))), b...)
	sum := uint32(0)
	for i := 0; i < len(pseudo); i += 2 {
		sum += uint32(pseudo[i])<<8 | uint32(pseudo[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	b[6], b[7] = byte(^sum>>8), byte(^sum)
	must(n.t, peer.In(func() error {
		c, err := net.DialIP("ip4:112", &net.IPAddr{IP: peer.IPv4().AsSlice()}, &net.IPAddr{IP: net.IPv4(224, 0, 0, 18)})
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var opt error
		if err := raw.Control(func(fd uintptr) {
			opt = syscall.SetsockoptByte(int(fd), syscall.IPPROTO_IP, syscall.IP_MULTICAST_TTL, 255)
		}); err != nil || opt != nil {
			return fmt.Errorf("set the TTL: %w, %w", err, opt)
		}
		_, err = c.Write(b)
		return err
	}))
}

// told is what the scripts and the readers of FIFOs have written, by file.
func (n *teller) told() map[string][]string {
	n.t.Helper()
	out := map[string][]string{}
	for _, pattern := range []string{"told.*", "*.read"} {
		files, err := filepath.Glob(filepath.Join(n.dir(), pattern))
		must(n.t, err)
		for _, f := range files {
			out[filepath.Base(f)] = lines(n.t, f, "")
		}
	}
	return out
}

// letters are the e-mails by their subject, each with the rest of it.
func (n *teller) letters() map[string][]string {
	out := map[string][]string{}
	for _, l := range n.relay.Letters() {
		subject := l.Header("Subject")
		out[subject] = append(out[subject], fmt.Sprintf("from %s to %v: %s: %q", l.From, l.To,
			strings.Join([]string{l.Header("From"), l.Header("To"), l.Header("X-Mailer")}, ", "), l.Body))
	}
	return out
}

// TestPairNotifyBeside plays one scenario on tandem and on keepalived at the same
// time and compares every word: the arguments and users of scripts in their
// order, the lines of FIFOs in their order for each instance, and e-mail.
func TestPairNotifyBeside(t *testing.T) {
	t.Parallel()
	nodes := map[string]*teller{}
	for _, program := range []string{"tandem", "keepalived"} {
		nodes[program] = newTeller(t, program)
	}
	var playing sync.WaitGroup
	for name, n := range nodes {
		playing.Go(func() { t.Run(name, func(t *testing.T) { n.t = t; n.play() }) })
	}
	playing.Wait()
	if t.Failed() {
		return
	}
	ours, theirs := nodes["tandem"], nodes["keepalived"]
	ours.t, theirs.t = t, t
	same(t, "scripts and FIFOs", bySubject(ours.told()), bySubject(theirs.told()))
	same(t, "e-mail", ours.letters(), theirs.letters())
	environments(t, ours, theirs)
	ends(t, ours)
}

// bySubject splits the lines of a FIFO by what they are about, since instances
// change at the same time. keepalived ends the readers before they have read of
// the end.
func bySubject(told map[string][]string) map[string][]string {
	out := map[string][]string{}
	for file, list := range told {
		if !strings.HasSuffix(file, ".read") {
			out[file] = list
			continue
		}
		for _, l := range list {
			subject := strings.Join(strings.Fields(l)[:2], " ")
			if !strings.Contains(l, " STOP ") {
				out[file+" "+subject] = append(out[file+" "+subject], l)
			}
		}
	}
	return out
}

func same(t *testing.T, what string, ours, theirs map[string][]string) {
	t.Helper()
	n, err := compared(ours, theirs)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	t.Logf("%s: %d lines compared", what, n)
}

// compared says how many lines keepalived has told, and in what tandem's differ.
func compared(ours, theirs map[string][]string) (int, error) {
	n := 0
	var errs []error
	for key, want := range theirs {
		n += len(want)
		if got := ours[key]; !slices.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%s:\n tandem     %q\n keepalived %q", key, got, want))
		}
	}
	for key, got := range ours {
		if theirs[key] == nil {
			errs = append(errs, fmt.Errorf("only tandem has %s: %q", key, got))
		}
	}
	return n, errors.Join(errs...)
}

// environments holds what scripts are started with against keepalived's: no
// variable more or less, but for those that name the node's own folders.
func environments(t *testing.T, ours, theirs *teller) {
	t.Helper()
	names := func(n *teller) []string {
		var out []string
		for _, l := range lines(t, n.dir()+"/env.1-any", "") {
			name, _, _ := strings.Cut(l, "=")
			out = append(out, name)
		}
		return out
	}
	if a, b := names(ours), names(theirs); !slices.Equal(a, b) || len(a) == 0 {
		t.Errorf("variables:\n tandem     %q\n keepalived %q", a, b)
	}
}

// ends asserts what only tandem does: its readers read of the end, and its FIFOs
// are gone.
func ends(t *testing.T, n *teller) {
	t.Helper()
	for _, file := range []string{"all.read", "vrrp.read"} {
		got := lines(t, filepath.Join(n.dir(), file), "")
		for _, want := range []string{`INSTANCE "VI_1" STOP 150`, `INSTANCE "VI_2" STOP 140`, `GROUP "G" STOP 0`} {
			if !slices.Contains(got, want) {
				t.Errorf("%s does not end with %s: %q", file, want, got)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(n.dir(), "*.fifo"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
