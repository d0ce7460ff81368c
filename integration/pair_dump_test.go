//go:build kernel

package integration

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// dumpConf has one of everything that keepalived's data files tell of, IPVS apart.
func dumpConf(h *lab.Host) string {
	return `bfd_instance B1 {
  neighbor_ip 192.0.2.250
  source_ip ` + h.IPv4().String() + `
}
vrrp_script chk {
  script /bin/true
  interval 1
  weight 10
}
vrrp_script bad {
  script /bin/false
  interval 1
  weight -5
}
vrrp_track_process tp {
  process nosuchprocess
  weight 3
}
vrrp_sync_group G {
  group {
    VI_2
    VI_3
  }
}
vrrp_instance VI_1 {
  interface ` + lab.NIC + `
  virtual_router_id 51
  priority 100
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret12
  }
  track_script {
    chk
    bad weight -6 reverse
  }
  track_process {
    tp
  }
  track_bfd {
    B1 weight 7
  }
  virtual_ipaddress {
    192.0.2.100/24 label ` + lab.NIC + `:1
    192.0.2.101
  }
  virtual_ipaddress_excluded {
    192.0.2.102
  }
  virtual_routes {
    198.51.100.0/24 via 192.0.2.9 dev ` + lab.NIC + ` metric 5
  }
  virtual_rules {
    from 192.0.2.100 lookup 50 priority 1234
  }
  notify_master "/bin/true x"
}
vrrp_instance VI_2 {
  interface ` + lab.NIC + `
  version 3
  virtual_router_id 52
  advert_int 0.2
  nopreempt
  unicast_src_ip ` + h.IPv4().String() + `
  unicast_peer {
    192.0.2.9
  }
  virtual_ipaddress {
    192.0.2.110
  }
}
vrrp_instance VI_3 {
  interface ` + lab.NIC + `
  version 3
  virtual_router_id 53
  advert_int 0.2
  virtual_ipaddress {
    fe80::100
    2001:db8::100/64
  }
}
`
}

// TestPairDumps has keepalived and tandem each write their files for the same
// configuration: tandem's have no line whose name keepalived's have not, apart
// from a few that are its own, lines that monitoring reads say the same, and the
// JSON has the same keys.
func TestPairDumps(t *testing.T) {
	t.Parallel()
	dumps := map[string]string{}
	for _, program := range []string{"keepalived", "tandem"} {
		h := newLab(t, "lb1", "lb2").Host("lb1")
		a := agent(t, h, program, dumpConf(h))
		start(t, a)
		if err := h.Addresses.Wait(within(t, 4*time.Second+slack), true, netip.MustParseAddr("192.0.2.100"), netip.MustParseAddr("192.0.2.110"), netip.MustParseAddr("2001:db8::100")); err != nil {
			t.Fatal(err)
		}
		eventually(t, slack, "master of all", func() error {
			must(t, a.Signal(syscall.SIGUSR1))
			b, err := os.ReadFile(a.Dir + "/keepalived.data")
			if n := strings.Count(string(b), "\n   State = MASTER\n"); err == nil && n != 3 {
				err = fmt.Errorf("of %d", n)
			}
			return err
		})
		for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, 36} {
			must(t, a.Signal(s))
		}
		for _, file := range []string{"keepalived.data", "keepalived_parent.data", "keepalived_bfd.data", "keepalived.stats", "keepalived.json"} {
			eventually(t, slack, file, func() (err error) {
				dumps[program+"/"+file], err = whole(a, file)
				return err
			})
		}
		must(t, a.Stop(slack))
	}
	own := []string{"   Cause", "   Last", " Default script user", " Log unknown VRIDs", "  Authentication Extension Errors", "    Missing", "    Malformed",
		"    Unknown Key", "    Invalid HMAC", "    Stale", "    Replay"}
	for _, file := range []string{"keepalived.data", "keepalived_parent.data", "keepalived_bfd.data", "keepalived.stats"} {
		theirs := names(dumps["keepalived/"+file])
		for _, n := range names(dumps["tandem/"+file]) {
			if !slices.Contains(theirs, n) && !slices.Contains(own, n) {
				t.Errorf("%s: keepalived has no line %q", file, n)
			}
		}
	}
	// What monitoring reads of the instances and scripts.
	for _, key := range []string{" VRRP Instance = ", "   State = ", "   Wantstate = ", "   Interface = ", "   Gratuitous ARP delay = ", "   Virtual Router ID = ",
		"   Effective priority = ", " VRRP Script = ", "   Status = ", " VRRP Sync Group = ", "     192.0.2.", "     fe80::", "     prepend ", "     from "} {
		want, got := having(without(dumps["keepalived/keepalived.data"], "VRRP Sockpool", "Interfaces"), key), having(dumps["tandem/keepalived.data"], key)
		// A script may be under way just then.
		for _, list := range [][]string{want, got} {
			for i := range list {
				list[i] = strings.Replace(list[i], "State = running", "State = idle", 1)
			}
		}
		if len(want) == 0 || !slices.Equal(want, got) {
			t.Errorf("%q:\nkeepalived %q\ntandem     %q", key, want, got)
		}
	}
	var want, got []map[string]map[string]any
	must(t, json.Unmarshal([]byte(dumps["keepalived/keepalived.json"]), &want))
	must(t, json.Unmarshal([]byte(dumps["tandem/keepalived.json"]), &got))
	if len(want) != len(got) {
		t.Fatalf("keepalived.json: %d instances, keepalived has %d", len(got), len(want))
	}
	for i := range want {
		for _, part := range []string{"data", "stats"} {
			for key, w := range want[i][part] {
				g, there := got[i][part][key]
				switch key {
				case "last_transition", "advert_sent", "auth_data", "script_master", "track_script":
					w, g = nil, nil
				}
				if !there || fmt.Sprint(w) != fmt.Sprint(g) {
					t.Errorf("instance %d: %s is %v, keepalived has %v", i, key, g, w)
				}
			}
		}
	}
}

// whole reads a file that an agent has written: keepalived's are there before they
// are whole, and may be written once more.
func whole(a *lab.Agent, file string) (string, error) {
	path := filepath.Join(a.Dir, file)
	before, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	after, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case len(b) < 300 || int64(len(b)) != after.Size() || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after):
		return "", fmt.Errorf("%s has %d bytes, and more to come", file, len(b))
	case slices.Contains(a.Open(), path):
		return "", fmt.Errorf("%s is being written", file)
	}
	return string(b), nil
}

// names are those of a file's lines, with their indent, each once.
func names(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		name, _, found := strings.Cut(line, " = ")
		if !found {
			name, _, _ = strings.Cut(line, ":")
		}
		// What follows a heading is no name.
		if !strings.HasPrefix(line, "     ") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// having are the lines that begin with the text.
func having(text, begin string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// without is the text without these sections.
func without(text string, sections ...string) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "------< "); ok {
			skip = slices.Contains(sections, strings.TrimSuffix(strings.TrimSpace(name), " >------"))
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return b.String()
}
