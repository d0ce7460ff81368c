//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"maps"
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

// checkingConf tells of a service whose quorum needs both its servers, of
// one for a group of three addresses, of one that begins with its sorry server and of
// one without checks; SCRIPT, DIR, RS1 and RS2 are put in.
const checkingConf = `global_defs {
  router_id lb
  script_user root
  enable_script_security
  notification_email {
    a@example.com
  }
  notification_email_from lb@example.com
  smtp_server 127.0.0.1 2525
  smtp_helo_name lb.example.com
  smtp_alert_checker
  rs_init_notifies
  lvs_notify_fifo DIR/lvs.fifo
  notify_fifo DIR/all.fifo
}
virtual_server 10.9.0.1 80 {
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
  quorum 3
  hysteresis 1
  omega
  quorum_up "SCRIPT plain up"
  quorum_down "SCRIPT plain down"
  sorry_server 192.0.2.99 80
  real_server RS1 80 {
    weight 3
    notify_up "SCRIPT plain-1 up"
    notify_down "SCRIPT plain-1 down"
    TCP_CHECK {
      connect_timeout 20
    }
  }
  real_server RS2 80 {
    weight 1
    notify_up "SCRIPT plain-2 up"
    notify_down "SCRIPT plain-2 down"
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      connect_timeout 20
    }
  }
  real_server 127.0.0.5 80 {
    weight 1
    notify_up "SCRIPT plain-3 up"
    notify_down "SCRIPT plain-3 down"
    TCP_CHECK {
      connect_timeout 20
      alpha
    }
  }
  real_server 127.0.0.6 80 {
    weight 1
    notify_up "SCRIPT plain-4 up"
    notify_down "SCRIPT plain-4 down"
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      connect_timeout 20
      alpha
    }
  }
}
virtual_server_group VG {
  10.9.1.1 80
  10.9.1.8-9 80
}
virtual_server group VG {
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
  alpha
  omega
  quorum_up "SCRIPT group up"
  quorum_down "SCRIPT group down"
  real_server RS1 80 {
    notify_up "SCRIPT group-1 up"
    notify_down "SCRIPT group-1 down"
    MISC_CHECK {
      misc_path "SCRIPT check DIR/up"
      misc_timeout 60
    }
  }
}
virtual_server 10.9.0.3 80 {
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
  alpha
  quorum_up "SCRIPT sorry up"
  quorum_down "SCRIPT sorry down"
  sorry_server 192.0.2.99 80
  real_server RS1 80 {
    notify_up "SCRIPT sorry-1 up"
    notify_down "SCRIPT sorry-1 down"
    TCP_CHECK {
      connect_timeout 20
    }
  }
}
virtual_server 10.9.0.2 80 {
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
  quorum_up "SCRIPT silent up"
  quorum_down "SCRIPT silent down"
  real_server RS1 80 {
    notify_up "SCRIPT silent-1 up"
    notify_down "SCRIPT silent-1 down"
  }
}
`

// checkingScript tells the arguments behind the first, in a file by the first's
// name, or is a check.
const checkingScript = `case $1 in
check) [ -e "$2" ] ;;
*) name=$1; shift; echo "$(id -un):$(id -gn) $*" >>"DIR/told.$name" ;;
esac
`

// checkTeller is a node with virtual servers that tells of them in every way.
type checkTeller struct {
	teller
	servers []*lab.Web
}

func newCheckTeller(t *testing.T, program string) *checkTeller {
	t.Helper()
	l := newLab(t, "node", "rs1", "rs2")
	h := l.Host("node")
	relay, err := h.Relay(relayAddr)
	must(t, err)
	n := &checkTeller{teller: teller{t: t, a: agent(t, h, program, ""), relay: relay}}
	must(t, os.Mkdir(n.dir(), 0o755))
	put := []string{"SCRIPT", writeScript(t, n.a, "script", strings.ReplaceAll(checkingScript, "DIR", n.dir())), "DIR", n.dir()}
	for _, name := range []string{"rs1", "rs2"} {
		w, err := l.Host(name).Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		must(t, err)
		n.servers = append(n.servers, w)
		put = append(put, strings.ToUpper(name), l.Host(name).IPv4().String())
	}
	n.conf = strings.NewReplacer(put...).Replace(checkingConf)
	must(t, n.a.Write(n.conf))
	for _, fifo := range []string{"lvs", "all"} {
		name := filepath.Join(n.dir(), fifo)
		must(t, syscall.Mkfifo(name+".fifo", 0o600))
		// The reader opens for writing, too, so that it outlives those who write.
		_, err := h.Start(name+".log", nil, "sh", "-c", `exec cat <>"$1.fifo" >"$1.read"`, "sh", name)
		must(t, err)
	}
	return n
}

// play is the scenario: start, a server dies and with it the quorum, returns; the
// group's only server dies and returns; a reload removes a server.
func (n *checkTeller) play() {
	t := n.t
	must(t, errors.Join(n.up(), n.a.Start()))
	n.waits("VS [10.9.0.1]:tcp:80 UP", 1)
	n.waits("VS [VG]:0 UP", 1)
	n.settled()
	must(t, n.servers[0].Close())
	n.waits("VS [10.9.0.1]:tcp:80 DOWN", 1)
	n.settled()
	must(t, n.servers[0].Start())
	n.waits("VS [10.9.0.1]:tcp:80 UP", 2)
	n.settled()
	must(t, errors.Join(n.servers[1].Close(), os.Remove(n.dir()+"/up")))
	n.waits(n.server("rs2")+" DOWN", 1)
	n.waits("VS [VG]:0 DOWN", 1)
	n.settled()
	must(t, errors.Join(n.servers[1].Start(), n.up()))
	n.waits(n.server("rs2")+" UP", 2)
	n.waits("VS [VG]:0 UP", 2)
	n.settled()
	// The last service goes.
	must(t, n.a.Write(n.conf[:strings.Index(n.conf, "virtual_server 10.9.0.2")]))
	must(t, n.a.Signal(syscall.SIGHUP))
	n.waits("VS [10.9.0.2]:tcp:80 DOWN", 1)
}

// server is a server of the first service as lines name it.
func (n *checkTeller) server(name string) string {
	return fmt.Sprintf("RS [%s]:tcp:80 [10.9.0.1]:tcp:80", n.a.Host.Neighbour(name).IPv4())
}

// up lets the script that checks the group's server succeed.
func (n *checkTeller) up() error { return os.WriteFile(n.dir()+"/up", nil, 0o644) }

// waits waits for a line of lvs_notify_fifo to have been read so many times.
func (n *checkTeller) waits(line string, times int) {
	n.t.Helper()
	eventually(n.t, patience, line, func() error {
		got := lines(n.t, n.dir()+"/lvs.read", "")
		if c := strings.Count(strings.Join(got, "\n")+"\n", line+"\n"); c < times {
			return fmt.Errorf("%s has told %q", filepath.Base(n.a.Program), got)
		}
		return nil
	})
}

// settled waits until the script of each line has told, too: on a busy machine one
// may begin late.
func (n *checkTeller) settled() {
	n.t.Helper()
	eventually(n.t, 3*patience, "a script for each line", func() error {
		told, scripts := n.told(), 0
		for file, list := range told {
			if !strings.HasSuffix(file, ".read") {
				scripts += len(list)
			}
		}
		if lines := len(told["lvs.read"]); scripts < lines {
			return fmt.Errorf("%d scripts have told, %d lines", scripts, lines)
		}
		return nil
	})
	n.quiet()
}

// quiet waits until a check interval has passed with nothing told.
func (n *checkTeller) quiet() {
	n.t.Helper()
	last, since := "", time.Now()
	eventually(n.t, patience, "silence", func() error {
		if now := fmt.Sprint(n.told(), n.letters()); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 1500*time.Millisecond {
			return errors.New("still telling")
		}
		return nil
	})
}

// fifos are the lines that were read, by what they are about, since services do not
// wait for each other.
func (n *checkTeller) fifos() map[string][]string {
	out := map[string][]string{}
	for file, list := range n.told() {
		for _, l := range list {
			if i := strings.LastIndexByte(l, ' '); strings.HasSuffix(file, ".read") && i >= 0 {
				out[file+" "+l[:i]] = append(out[file+" "+l[:i]], l)
			}
		}
	}
	return out
}

// begin are the lines of lvs_notify_fifo about the start itself, which come in the
// order of the file: those until the last service is told of.
func (n *checkTeller) begin() map[string][]string {
	list := n.told()["lvs.read"]
	return map[string][]string{"lvs.read": list[:slices.Index(list, "VS [10.9.0.2]:tcp:80 UP")+1]}
}

// ran are the scripts that were run.
func (n *checkTeller) ran() map[string][]string {
	told := n.told()
	maps.DeleteFunc(told, func(file string, _ []string) bool { return strings.HasSuffix(file, ".read") })
	return told
}

// sent is the e-mail, but for two sentences: keepalived's sum without its quorum is
// wrong, and it has no cause for a connection that failed.
func (n *checkTeller) sent() map[string][]string {
	mail := n.letters()
	for _, list := range mail {
		for i, l := range list {
			for _, known := range []string{"Lost quorum ", "Starting with quorum down ", "CHECK failed on service : "} {
				if head, _, ok := strings.Cut(l, known); ok {
					list[i] = head + known
				}
			}
		}
	}
	return mail
}

// comesToBeSame waits until both have told the same: scripts begin, and mail is sent
// and FIFOs are read, in their own time.
func comesToBeSame(t *testing.T, what string, ours, theirs func() map[string][]string) {
	t.Helper()
	eventually(t, 2*patience, what, func() error {
		n, err := compared(ours(), theirs())
		if err == nil {
			t.Logf("%s: %d lines compared", what, n)
		}
		return err
	})
}

// TestIPVSNotify plays one scenario on tandem and on keepalived at the same time and
// compares every word that is told of real and virtual servers: scripts and their
// order, the bytes of FIFOs, subjects and bodies of e-mail. A service for a group is
// told of once, by the group's name.
func TestIPVSNotify(t *testing.T) {
	t.Parallel()
	ours, theirs := newCheckTeller(t, "tandem"), newCheckTeller(t, "keepalived")
	var playing sync.WaitGroup
	for _, n := range []*checkTeller{ours, theirs} {
		playing.Go(func() { t.Run(filepath.Base(n.a.Program), func(t *testing.T) { n.t = t; n.play() }) })
	}
	playing.Wait()
	if t.Failed() {
		return
	}
	ours.t, theirs.t = t, t
	same(t, "the start", ours.begin(), theirs.begin())
	// Before the end: keepalived ends its own scripts and e-mail with itself.
	comesToBeSame(t, "scripts", ours.ran, theirs.ran)
	comesToBeSame(t, "e-mail", ours.sent, theirs.sent)
	must(t, errors.Join(ours.a.Stop(patience), theirs.a.Stop(patience)))
	for _, n := range []*checkTeller{ours, theirs} {
		n.waits("VS [VG]:0 DOWN", 2)
	}
	comesToBeSame(t, "FIFOs", ours.fifos, theirs.fifos)
	for name := range ours.fifos() {
		if strings.Contains(name, "10.9.1.") {
			t.Errorf("told of an address of the group: %q", name)
		}
	}
	// The end, of which keepalived's e-mail does not always live to tell.
	eventually(t, patience, "e-mail about the group's loss", func() error {
		if got := ours.letters()["[lb] Virtualserver [VG]:0 - DOWN"]; len(got) != 2 {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}
