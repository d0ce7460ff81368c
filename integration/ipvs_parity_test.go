//go:build kernel

package integration

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// likeness is one file that keepalived and tandem run, each on a host of its own,
// before the same two real servers.
type likeness struct {
	name string
	// global and text are the file, with RS1 and RS2 for the servers' addresses;
	// after is what text becomes at a reload.
	global, text, after string
}

const twoServers = `  real_server RS1 80 {
    weight 3
    TCP_CHECK {
      connect_timeout 5
      retry 0
      warmup 0
    }
  }
  real_server RS2 80 {
    weight 2
    TCP_CHECK {
      connect_timeout 5
      retry 0
      warmup 0
    }
  }
`

// block is a virtual server with two servers that are checked each second.
func block(head, text string) string {
	return "virtual_server " + head + " {\n  delay_loop 2\n  protocol TCP\n" + text + twoServers + "}\n"
}

func likenesses() []likeness {
	nat := "  lvs_sched wrr\n  lvs_method NAT\n"
	plain := block("10.30.0.1 80", nat)
	services := block("10.30.0.1 80", nat) + block("10.30.0.2 80", "  lvs_sched rr\n  lvs_method DR\n") +
		block("10.30.0.3 80", "  lvs_sched lc\n  lvs_method TUN\n") +
		block("10.30.0.4 80", "  lvs_sched sh\n  sh-port\n  sh-fallback\n  lvs_method TUN type gue port 6080 remcsum\n") +
		block("10.30.0.5 80", "  lvs_sched mh\n  mh-port\n  lvs_method TUN type gre csum\n  persistence_timeout 77\n  persistence_granularity 255.255.255.0\n") +
		block("fwmark 9", "  lvs_sched sed\n  lvs_method DR\n") +
		strings.ReplaceAll(block("10.30.0.7 53", nat+"  ops\n"), "protocol TCP", "protocol UDP") +
		strings.ReplaceAll(block("10.30.0.8 5060", "  lvs_sched rr\n  lvs_method NAT\n  persistence_engine sip\n  persistence_timeout 60\n"), "protocol TCP", "protocol UDP") +
		strings.ReplaceAll(block("10.30.0.9 80", nat), "protocol TCP", "protocol SCTP") +
		strings.ReplaceAll(block("10.30.0.10 80", nat), "weight 3\n", "weight 3\n    uthreshold 9\n    lthreshold 4\n")
	for i, name := range []string{"wlc", "lblc", "lblcr", "dh", "fo", "ovf", "nq"} {
		services += block(fmt.Sprintf("10.30.1.%d 80", i+1), "  lvs_sched "+name+"\n  lvs_method NAT\n")
	}
	return []likeness{
		{name: "services", text: services, after: block("10.30.0.1 80", "  lvs_sched lblc\n  lvs_method NAT\n  persistence_timeout 50\n") + block("10.30.0.6 80", nat) +
			strings.ReplaceAll(block("10.30.0.10 80", nat), "weight 3\n", "weight 1\n    uthreshold 9\n    lthreshold 4\n")},
		{name: "quorum", text: block("10.30.0.1 80", nat+"  quorum 4\n  hysteresis 1\n  sorry_server 10.9.7.7 80\n  sorry_server_lvs_method DR\n") +
			block("10.30.0.2 80", nat+"  alpha\n  omega\n  inhibit_on_failure\n  quorum 5\n  sorry_server 10.9.7.7 81\n  sorry_server_inhibit\n"),
			after: block("10.30.0.1 80", nat+"  quorum 3\n") + block("10.30.0.2 80", nat+"  inhibit_on_failure\n")},
		{name: "group", text: "virtual_server_group G {\n  10.30.0.1-3 80\n  10.30.1.0/30 80\n  10.30.2.1-10.30.2.2 81\n  fwmark 5\n  fwmark 6\n}\n" + block("group G", nat+"  quorum 4\n  sorry_server 10.9.7.7 80\n"),
			after: "virtual_server_group G {\n  10.30.0.2-3 80\n  fwmark 5\n}\n" + block("group G", nat)},
		{name: "marks of both families", text: "virtual_server_group G {\n  10.30.0.1 80\n  2001:db8::1 80\n  fwmark 7 inet\n  fwmark 7 inet6\n}\n" + block("group G", "  lvs_sched rr\n  lvs_method TUN\n"), after: plain},
		{name: "marked by nftables", global: "  nftables_ipvs\n", text: "virtual_server_group G {\n  10.30.0.1-3 80\n  10.30.1.0/30 81\n}\n" + block("group G", nat), after: plain},
	}
}

// kernelTable is what the kernel holds: table, thresholds, and marks that packets
// get.
func kernelTable(h *lab.Host) (string, error) {
	lines, err := table(h)
	if err != nil {
		return "", err
	}
	thresholds, err := h.Run("ipvsadm", "-Ln", "--thresholds")
	if err != nil {
		return "", err
	}
	var limits []string
	for l := range strings.Lines(thresholds) {
		if f := strings.Fields(l); len(f) > 3 && strings.Contains(f[0], ":") && (f[1] != "0" || f[2] != "0") {
			limits = append(limits, "limits "+strings.Join(f[:3], " "))
		}
	}
	slices.Sort(limits)
	marks, err := h.Run("nft", "list", "ruleset")
	// nft(8) takes the marks in a map for numbers of network order where the map
	// does not say that they are the host's; in the kernel they are the same.
	marks = strings.ReplaceAll(marks, "0xe8030000", "0x000003e8")
	return strings.Join(append(lines, limits...), "\n") + "\n" + marks, err
}

// TestVerifyIPVSLikeness, which takes minutes where the kernel is emulated, runs each file under keepalived and under tandem, and compares
// what their kernels hold at rest, when a server dies, when no server is left,
// when both are back, after a reload, and after the end.
func TestVerifyIPVSLikeness(t *testing.T) {
	for _, c := range likenesses() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "lb1", "lb2", "rs1", "rs2")
			var web []*lab.Web
			for _, name := range []string{"rs1", "rs2"} {
				w, err := l.Host(name).Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
				must(t, err)
				web = append(web, w)
			}
			put := strings.NewReplacer("RS1", l.Host("rs1").IPv4().String(), "RS2", l.Host("rs2").IPv4().String())
			head := "global_defs {\n  router_id lvs\n" + c.global + "}\n"
			k := agent(t, l.Host("lb1"), "keepalived", head+put.Replace(c.text))
			n := agent(t, l.Host("lb2"), "tandem", head+put.Replace(c.text))
			start(t, k, n)
			alike := func(when string) {
				t.Helper()
				var steady string
				var since time.Time
				eventually(t, 2*patience, "the same table "+when, func() error {
					want, err1 := kernelTable(k.Host)
					got, err2 := kernelTable(n.Host)
					if err := errors.Join(err1, err2); err != nil {
						return err
					}
					if want != steady {
						steady, since = want, time.Now()
					}
					if want != got {
						return fmt.Errorf("tandem's is\n%s\nkeepalived's is\n%s", got, want)
					}
					if quiet := time.Since(since); quiet < 3*time.Second {
						return fmt.Errorf("keepalived's table has been the same for %v only", quiet)
					}
					return nil
				})
			}
			alike("at rest")
			must(t, web[0].Close())
			alike("with one server dead")
			must(t, web[1].Close())
			alike("with both dead")
			must(t, errors.Join(web[0].Start(), web[1].Start()))
			alike("with both back")
			for _, a := range []*lab.Agent{k, n} {
				must(t, a.Write(head+put.Replace(c.after)))
				must(t, a.Signal(syscall.SIGHUP))
			}
			alike("after a reload")
			must(t, errors.Join(k.Stop(patience), n.Stop(patience)))
			alike("after the end")
			if got, _ := kernelTable(n.Host); strings.TrimSpace(got) != "" {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}
