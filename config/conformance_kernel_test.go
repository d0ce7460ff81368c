//go:build kernel

package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestConformance asks keepalived -t about every probe and compares: both report
// something, or neither does. Rows that this keepalived does not have are
// compared with the reference.
func TestConformance(t *testing.T) {
	verdicts := askKeepalived(t)
	rows, agreeing, byReference, deviating := 0, 0, 0, 0
	for _, k := range Keywords() {
		if k.Tandem {
			continue
		}
		rows++
		same, on := true, false
		for _, p := range probes(k) {
			got, ds := verdictOf(p)
			v := verdicts[p.text]
			want := v.code != 0
			if newer(k) {
				want = refuses(p)
			}
			if reports, differs := judgedLater(p); differs {
				want = reports
			}
			if got == want {
				continue
			}
			if why := deviations[k.Block+" "+k.Name+" "+p.args]; why != "" {
				on = true
				t.Logf("differs on purpose: %s %s %q: %s", k.Block, k.Name, p.args, why)
				continue
			}
			same = false
			t.Errorf("%s %s %q: keepalived %d, tandem %d\n%s\n%v", k.Block, k.Name, p.args, v.code, ExitCode(ds), strings.Join(v.said, "\n"), ds)
		}
		switch {
		case same && on:
			deviating++
		case same && newer(k):
			byReference++
		case same:
			agreeing++
		}
	}
	fmt.Printf("of %d rows %d agree with keepalived -t and %d, which it does not have, with the reference; %d differ on purpose\n", rows, agreeing, byReference, deviating)
}

// verdict is what keepalived -t says of a file.
type verdict struct {
	code int
	said []string
}

// askKeepalived runs keepalived -t over all probes in a namespace with their
// interfaces.
func askKeepalived(t *testing.T) map[string]verdict {
	t.Helper()
	var mu sync.Mutex
	out := map[string]verdict{}
	texts := make(chan string)
	var wg sync.WaitGroup
	dir := t.TempDir()
	for range runtime.NumCPU() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Error(err)
				return
			}
			for _, name := range []string{"eth0", "eth1"} {
				if b, err := exec.Command("ip", "link", "add", name, "type", "veth", "peer", "name", "p"+name).CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, b)
				}
				exec.Command("ip", "link", "set", name, "up").Run()
				exec.Command("ip", "link", "set", "p"+name, "up").Run()
			}
			for text := range texts {
				v := runKeepalived(t, dir, text)
				mu.Lock()
				out[text] = v
				mu.Unlock()
			}
		}()
	}
	for _, k := range Keywords() {
		for _, p := range probes(k) {
			texts <- p.text
		}
	}
	close(texts)
	wg.Wait()
	return out
}

func runKeepalived(t *testing.T, dir, text string) verdict {
	f, err := os.CreateTemp(dir, "*.conf")
	if err != nil {
		t.Error(err)
		return verdict{}
	}
	defer os.Remove(f.Name())
	f.WriteString(text)
	f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	b, err := exec.CommandContext(ctx, "keepalived", "-t", "-i", "east", "-f", f.Name()).CombinedOutput()
	v := verdict{}
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		v.code = e.ExitCode()
	} else if err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for l := range strings.Lines(strings.ReplaceAll(string(b), f.Name()+": ", "")) {
		if l = strings.ReplaceAll(strings.TrimSpace(l), filepath.Base(f.Name()), "F"); !seen[l] {
			seen[l] = true
			v.said = append(v.said, l)
		}
	}
	return v
}

// deviations are the probes on which tandem and keepalived 2.2.7 differ on
// purpose, by block, name and arguments, and why.
var deviations = map[string]string{
	"vrrp_script interval 0.5":                                      "decimals are newer than 2.2.7",
	"vrrp_script interval 1.25":                                     "decimals are newer than 2.2.7",
	"vrrp_script timeout 0.5":                                       "decimals are newer than 2.2.7",
	"vrrp_script timeout 1.25":                                      "decimals are newer than 2.2.7",
	"vrrp_instance strict_mode on\nunicast_peer {\n192.0.2.3\n}":    "newer versions refuse unicast in strict mode",
	serverB + "/SMTP_CHECK bindto 2001:db8::7":                      "keepalived judges the family of all checks but this one",
	addressBlock + " peer 192.0.2.13/24":                            "2.2.7 takes no length behind peer, which its manual has",
	routeBlock + " inet ~inet 10.1.0.0/16 dev eth0":                 "keepalived swallows the word behind inet",
	ruleBlock + " inet ~inet from 10.1.0.0/16 table 5 preference 7": "keepalived swallows the word behind inet",
	ruleBlock + " ipproto 254 preference 7":                         "2.2.7 has protocols up to 127 only",
	setBlock + " fwmark 5 inet6":                                    "keepalived says nothing of a mark whose family no server has",
}
