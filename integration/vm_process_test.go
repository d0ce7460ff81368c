//go:build kernel

package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestVMTrackProcess counts processes where keepalived can, outside any network
// namespace: the better node's interface is put there. Each in turn tracks, with the
// other as its peer.
func TestVMTrackProcess(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}} {
		t.Run(names[0]+"-tracks", func(t *testing.T) {
			t.Parallel()
			trackProcesses(t, names)
		})
	}
}

func trackProcesses(t *testing.T, names [2]string) {
	m := mode{version: 3, advert: time.Second}
	p := newPair(t, m, names[0], names[1])
	nic := "to-" + names[0]
	must(t, p.lb1.Host.IP("link set "+lab.NIC+" netns 1 name "+nic))
	for _, args := range [][]string{{"addr", "add", p.lb1.Host.IPv4().String() + "/24"}, {"link", "set", "up"}} {
		out, err := exec.Command("ip", append(args, "dev", nic)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	program := filepath.Join(p.lb1.Dir, "srv-"+names[0][:4])
	must(t, copyProgram("sleep", program))
	name := filepath.Base(program)
	head := "vrrp_track_process some {\n  process " + program + " 1000\n}\nvrrp_track_process more {\n  process " + name + "\n  weight 5\n  quorum 2\n}\n" +
		"vrrp_track_process most {\n  process " + name + "\n  weight -20\n  quorum 3\n}\n"
	conf := m.conf(p.lb1.Host, p.lb2.Host, 150, "track_process {", "  some", "  more", "  most", "}")
	must(t, p.lb1.Write(head+strings.ReplaceAll(conf, "interface "+lab.NIC, "interface "+nic)))
	run := func() *lab.Process {
		t.Helper()
		c, err := p.lb1.Host.StartOutside(filepath.Join(p.lb1.Dir, "srv.log"), nil, program, "1000")
		must(t, err)
		return c
	}
	all := []*lab.Process{run()}
	must(t, p.lb1.StartOutside())
	p.lasts(p.lb1, "one runs", 130)
	start(t, p.lb2)
	all = append(all, run(), run())
	p.lasts(p.lb1, "three run", 155)
	all[0].Kill()
	p.lasts(p.lb1, "two are left", 135)
	all[1].Kill()
	all[2].Kill()
	p.lasts(p.lb2, "none is left", 100)
	run()
	p.lasts(p.lb1, "one runs again", 130)
	must(t, p.lb1.Stop(slack))
}
