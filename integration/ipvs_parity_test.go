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
	// globalAfter and after are what they become at a reload.
	global, text, globalAfter, after string
}

const twoServers = `  real_server RS1 80 {
    weight 3
    TCP_CHECK {
      connect_timeout 20
      retry 0
      warmup 0
    }
  }
  real_server RS2 80 {
    weight 2
    TCP_CHECK {
      connect_timeout 20
      retry 0
      warmup 0
    }
  }
`

// nat is a service's scheduler and method where they do not matter.
const nat = "  lvs_sched wrr\n  lvs_method NAT\n"

// block is a virtual server with two servers that are checked each second.
func block(head, text string) string {
	return "virtual_server " + head + " {\n  delay_loop 1\n  protocol TCP\n" + text + twoServers + "}\n"
}

// of is a block of another protocol.
func of(protocol, block string) string {
	return strings.ReplaceAll(block, "protocol TCP", "protocol "+protocol)
}

// limited is a block with thresholds at its first server.
func limited(block string) string {
	return strings.ReplaceAll(block, "weight 3\n", "weight 3\n    uthreshold 9\n    lthreshold 4\n")
}

// kinds is a service of each kind, and what they become.
func kinds() likeness {
	text := block("10.30.0.1 80", nat) + block("10.30.0.2 80", "  lvs_sched rr\n  lvs_method DR\n") +
		block("10.30.0.3 80", "  lvs_sched lc\n  lvs_method TUN\n") +
		block("10.30.0.4 80", "  lvs_sched sh\n  sh-port\n  sh-fallback\n  lvs_method TUN type gue port 6080 remcsum\n") +
		block("10.30.0.5 80", "  lvs_sched mh\n  mh-port\n  lvs_method TUN type gre csum\n  persistence_timeout 77\n  persistence_granularity 255.255.255.0\n") +
		block("fwmark 9", "  lvs_sched sed\n  lvs_method DR\n") +
		of("UDP", block("10.30.0.7 53", nat+"  ops\n")) +
		of("UDP", block("10.30.0.8 5060", "  lvs_sched rr\n  lvs_method NAT\n  persistence_engine sip\n  persistence_timeout 60\n")) +
		of("SCTP", block("10.30.0.9 80", nat)) + limited(block("10.30.0.10 80", nat))
	for i, name := range []string{"wlc", "lblc", "lblcr", "dh", "fo", "ovf", "nq"} {
		text += block(fmt.Sprintf("10.30.1.%d 80", i+1), "  lvs_sched "+name+"\n  lvs_method NAT\n")
	}
	return likeness{text: text, after: block("10.30.0.1 80", "  lvs_sched lblc\n  lvs_method NAT\n  persistence_timeout 50\n") +
		block("10.30.0.6 80", nat) + strings.ReplaceAll(limited(block("10.30.0.10 80", nat)), "weight 3\n", "weight 1\n")}
}

// quorums has sorry servers and what is left in the table with weight 0.
func quorums() likeness {
	return likeness{
		text: block("10.31.0.1 80", nat+"  quorum 4\n  hysteresis 1\n  sorry_server 10.9.7.7 80\n  sorry_server_lvs_method DR\n") +
			block("10.31.0.2 80", nat+"  alpha\n  omega\n  inhibit_on_failure\n  quorum 5\n  sorry_server 10.9.7.7 81\n  sorry_server_inhibit\n"),
		after: block("10.31.0.1 80", nat+"  quorum 3\n") + block("10.31.0.2 80", nat+"  inhibit_on_failure\n"),
	}
}

// groups has addresses and marks of every form, of both families too.
func groups() likeness {
	const both = "virtual_server_group B {\n  10.33.0.1 80\n  2001:db8:33::1 80\n  fwmark 7 inet\n  fwmark 7 inet6\n}\n"
	return likeness{
		text: "virtual_server_group G {\n  10.32.0.1-3 80\n  10.32.1.0/30 80\n  10.32.2.1-10.32.2.2 81\n  fwmark 5\n  fwmark 6\n}\n" +
			block("group G", nat+"  quorum 4\n  sorry_server 10.9.7.7 80\n") + both + block("group B", "  lvs_sched rr\n  lvs_method TUN\n"),
		after: "virtual_server_group G {\n  10.32.0.2-3 80\n  fwmark 5\n}\n" + block("group G", nat),
	}
}

// and is two files in one.
func (l likeness) and(more likeness) likeness {
	l.text += more.text
	l.after += more.after
	return l
}

// named gives a file its name.
func (l likeness) named(name string) likeness {
	l.name = name
	return l
}

// marked has the packet filter mark what is for a group, with a sync daemon that
// sends and receives.
func marked() likeness {
	const global = "  nftables_ipvs\n  lvs_timeouts tcp 777 tcpfin 22 udp 44\n  lvs_sync_daemon " + lab.NIC + " id "
	return likeness{
		global: global + "5 maxlen 1400 port 8850 ttl 2 group 224.0.0.99\n", globalAfter: global + "6\n",
		text:  "virtual_server_group G {\n  10.34.0.1-3 80\n  10.34.1.0/30 81\n}\n" + block("group G", nat+"  quorum 5\n"),
		after: block("10.34.0.1 80", nat),
	}
}

// synced has a sync daemon that speaks IPv6.
func synced() likeness {
	const daemon = "  lvs_sync_daemon " + lab.NIC + " "
	return likeness{
		global: daemon + "id 5 maxlen 1300 port 8851 ttl 3 group ff02::99\n", globalAfter: daemon + "id 7 maxlen 1200 port 8852 ttl 4 group ff05::77\n",
		text: block("10.35.0.1 80", nat+"  quorum 4\n"), after: block("10.35.0.1 80", "  lvs_sched rr\n  lvs_method NAT\n"),
	}
}

// missing has a service with a scheduler that the kernel lacks, beside another.
func missing() likeness {
	lacks := block("10.36.0.1 80", "  lvs_sched twos\n  lvs_method NAT\n")
	return likeness{
		text:  lacks + block("10.36.0.2 80", nat+"  quorum 4\n"),
		after: lacks + block("10.36.0.2 80", "  lvs_sched rr\n  lvs_method NAT\n"),
	}
}

// kernelTable is what the kernel holds: table, thresholds, sync daemons, time-outs
// and marks that packets get.
func kernelTable(h *lab.Host) (string, error) {
	out, err := h.Run("sh", "-ec", "ipvsadm -Sn; echo =; ipvsadm -Ln --thresholds; echo =; ipvsadm -L --daemon; ipvsadm -L --timeout; nft list ruleset")
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(out, "=\n", 3)
	var limits []string
	for l := range strings.Lines(parts[1]) {
		if f := strings.Fields(l); len(f) > 3 && strings.Contains(f[0], ":") && (f[1] != "0" || f[2] != "0") {
			limits = append(limits, "limits "+strings.Join(f[:3], " "))
		}
	}
	slices.Sort(limits)
	var lines []string
	for l := range strings.Lines(parts[0]) {
		lines = append(lines, strings.TrimSpace(l))
	}
	slices.Sort(lines)
	// nft(8) takes the marks in a map for numbers of network order where the map
	// does not say that they are the host's; in the kernel they are the same.
	rest := strings.ReplaceAll(parts[2], "0xe8030000", "0x000003e8")
	return strings.TrimSpace(strings.Join(append(lines, limits...), "\n") + "\n" + rest), nil
}

// withoutRemains is a table less what keepalived 2.2.7 leaves behind at a reload:
// the services of a group's addresses that are not in the group any more, without
// servers, and the packet filter's chain that is not asked for any more.
func withoutRemains(table string) string {
	var kept []string
	for l := range strings.Lines(table) {
		if l == "table ip keepalived_ipvs {\n" {
			break
		}
		service, is := strings.CutPrefix(strings.TrimSpace(l), "-A ")
		if f := strings.Fields(service); is && !strings.Contains(table, "-a "+f[0]+" "+f[1]+" ") {
			continue
		}
		kept = append(kept, l)
	}
	return strings.TrimSpace(strings.Join(kept, ""))
}

// TestIPVSLikeness runs one file with quorums, sorry servers and groups under
// keepalived and under tandem, and compares what their kernels hold.
func TestIPVSLikeness(t *testing.T) {
	t.Parallel()
	compareTables(t, quorums().and(groups()))
}

// TestVerifyIPVSLikeness does so with every kind of service, with marks by the packet
// filter, sync daemons of both families and time-outs, and with a service that the
// kernel refuses.
func TestVerifyIPVSLikeness(t *testing.T) {
	for _, c := range []likeness{kinds().named("kinds"), marked().named("marked"), synced().named("synced"), missing().named("missing")} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compareTables(t, c)
		})
	}
}

// compareTables compares what the kernels of the two hold at rest, when a server
// dies, when no server is left, when both are back, after a reload, and after the
// end.
func compareTables(t *testing.T, c likeness) {
	l := newLab(t, "lb1", "lb2", "rs1", "rs2")
	var web []*lab.Web
	for _, name := range []string{"rs1", "rs2"} {
		w, err := l.Host(name).Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		must(t, err)
		web = append(web, w)
	}
	put := strings.NewReplacer("RS1", l.Host("rs1").IPv4().String(), "RS2", l.Host("rs2").IPv4().String())
	conf := func(global, text string) string {
		return "global_defs {\n  router_id lvs\n" + global + "}\n" + put.Replace(text)
	}
	k := agent(t, l.Host("lb1"), "keepalived", conf(c.global, c.text))
	n := agent(t, l.Host("lb2"), "tandem", conf(c.global, c.text))
	empty, err := kernelTable(n.Host)
	must(t, err)
	start(t, k, n)
	before := empty
	alike := func(when string, asFarAs func(string) string) {
		t.Helper()
		began := time.Now()
		var steady string
		var since time.Time
		polled(t, 3*patience, 400*time.Millisecond, "the same table "+when, func() error {
			want, err1 := kernelTable(k.Host)
			got, err2 := kernelTable(n.Host)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			want = asFarAs(want)
			if want != steady {
				steady, since = want, time.Now()
			}
			if want != got {
				return fmt.Errorf("tandem's is\n%s\nkeepalived's is\n%s", got, want)
			}
			if want == before {
				return errors.New("both are still as they were")
			}
			// Each server is checked each second.
			if quiet := time.Since(since); quiet < 2*time.Second {
				return fmt.Errorf("keepalived's table has been the same for %v only", quiet)
			}
			return nil
		})
		before = steady
		t.Logf("%s: alike after %v", when, time.Since(began).Round(time.Millisecond))
	}
	asItIs := func(table string) string { return table }
	alike("at rest", asItIs)
	must(t, web[0].Close())
	alike("with one server dead", asItIs)
	must(t, web[1].Close())
	alike("with both dead", asItIs)
	must(t, errors.Join(web[0].Start(), web[1].Start()))
	alike("with both back", asItIs)
	for _, a := range []*lab.Agent{k, n} {
		must(t, a.Write(conf(c.globalAfter, c.after)))
		must(t, a.Signal(syscall.SIGHUP))
	}
	alike("after a reload", withoutRemains)
	must(t, errors.Join(k.Stop(patience), n.Stop(patience)))
	got, err := kernelTable(n.Host)
	must(t, err)
	want, err := kernelTable(k.Host)
	must(t, err)
	if got != withoutRemains(want) {
		t.Errorf("after the end tandem's table is\n%s\nkeepalived's is\n%s", got, want)
	}
	if got != empty {
		t.Errorf("left behind:\n%s", got)
	}
}
