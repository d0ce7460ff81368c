//go:build kernel

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// situation is a state of the things that an instance tracks, how it is brought
// about, and what the instance then is.
type situation struct {
	name string
	make func(*tracking) error
	// priority is what the tracking node adverts while it is master; 0 where it
	// is in FAULT or the worse one, and its peer is master.
	priority uint8
}

// tracking is a pair whose better node tracks something.
type tracking struct {
	*pair
	// file is a path on the better node that may be written.
	file string
}

// whole replaces the content of the file in one piece.
func (tr *tracking) whole(content string) error {
	if err := os.WriteFile(tr.file+".new", []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(tr.file+".new", tr.file)
}

// ip runs lines of ip on the better node.
func (tr *tracking) ip(lines ...string) error { return tr.lb1.Host.IP(lines...) }

func content(text string) func(*tracking) error {
	return func(tr *tracking) error { return tr.whole(text) }
}

func ipLines(lines ...string) func(*tracking) error {
	return func(tr *tracking) error { return tr.ip(lines...) }
}

// trackCase is a configuration of tracking and what follows from it, step by step.
type trackCase struct {
	name string
	// head is what stands before the instance, FILE in it the file's path, and
	// lines is what stands in the instance.
	head       string
	lines      []string
	prepare    func(*tracking) error
	situations []situation
}

var trackCases = []trackCase{
	{
		name: "file", head: "track_file load {\n  file FILE\n}\n",
		lines:   []string{"track_file {", "  load", "}"},
		prepare: content("0\n"),
		situations: []situation{
			{"zero", content("0\n"), 150},
			{"a number", content("7\n"), 157},
			{"in place", func(tr *tracking) error { return os.WriteFile(tr.file, []byte("12\n"), 0o644) }, 162},
			{"hexadecimal", content("0x10"), 166},
			{"with text behind", content(" -20 and more"), 130},
			{"too much", content("300"), 254},
			{"no number", content("none"), 150},
			{"worse than the peer", content("-60"), 0},
			{"back", content("0"), 150},
			{"fault", content("-254"), 0},
			{"deleted", func(tr *tracking) error { return os.Remove(tr.file) }, 150},
			{"made again", func(tr *tracking) error { return os.WriteFile(tr.file, []byte("9"), 0o644) }, 159},
			{"link to nowhere", func(tr *tracking) error {
				if err := os.Symlink("/nonexistent", tr.file+".link"); err != nil {
					return err
				}
				return os.Rename(tr.file+".link", tr.file)
			}, 150},
		},
	},
	{
		name: "file-weights", head: "track_file load {\n  file FILE\n  weight -3\n}\n",
		lines:   []string{"track_file {", "  load", "}"},
		prepare: content("0\n"),
		situations: []situation{
			{"negative weight", content("5"), 135},
			{"and number", content("-10"), 180},
			{"worse than the peer", content("20"), 0},
			{"back", content("0"), 150},
		},
	},
	{
		name: "file-fault", head: "track_file stop {\n  file FILE\n  weight 0\n}\n",
		lines:   []string{"track_file {", "  stop", "}"},
		prepare: content("0\n"),
		situations: []situation{
			{"good", content("0"), 150},
			{"stopped", content("1"), 0},
			{"good again", content(""), 150},
		},
	},
	{
		name: "file-reverse", head: "track_file go {\n  file FILE\n  weight 0 reverse\n}\ntrack_file more {\n  file FILE\n  weight 2 reverse\n}\n",
		lines:   []string{"track_file {", "  go", "  more", "}"},
		prepare: content("1\n"),
		situations: []situation{
			{"go", content("1"), 148},
			{"more", content("-4"), 158},
			{"stop", content("0"), 0},
			{"go again", content("3"), 144},
		},
	},
	{
		name:    "interface-weights",
		lines:   []string{"track_interface {", "  up0 weight 20", "  up2 weight -15", "  up4 weight 4 reverse", "}"},
		prepare: ipLines("link add up0 type veth peer name up1", "link add up2 type veth peer name up3", "link add up4 type veth peer name up5", "link set up0 up", "link set up1 up", "link set up2 up", "link set up3 up", "link set up4 up", "link set up5 up"),
		situations: []situation{
			{"all up", ipLines("link set up1 up"), 166},
			{"positive down", ipLines("link set up1 down"), 146},
			{"negative down", ipLines("link set up3 down"), 131},
			{"reverse down", ipLines("link set up5 down"), 135},
			{"deleted", ipLines("link set up1 up", "link del up2"), 155},
			{"all back", ipLines("link set up5 up", "link add up2 type veth peer name up3", "link set up2 up", "link set up3 up"), 166},
		},
	},
	{
		name: "interface-served-on",
		lines: []string{"track_interface {", "  up0 weight 20", "  up2 weight 20", "}",
			"virtual_routes {", "  10.77.0.0/24 dev up0", "  10.78.0.0/24 dev up2 no_track", "}"},
		prepare: ipLines("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up", "link add up2 type veth peer name up3", "link set up2 up", "link set up3 up"),
		situations: []situation{
			{"all up", ipLines(), 170},
			{"one that is not tracked for its route down", ipLines("link set up3 down"), 150},
			{"one that is, whatever its weight", ipLines("link set up1 down"), 0},
			{"all back", ipLines("link set up1 up", "link set up3 up"), 170},
		},
	},
	{
		name: "interface-delays", head: "interface_up_down_delays {\n  up0 1 0.5\n}\n",
		lines:   []string{"track_interface {", "  up0 weight 20", "}"},
		prepare: ipLines("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up"),
		situations: []situation{
			{"up", ipLines(), 170},
			{"down", ipLines("link set up1 down"), 150},
			{"up again", ipLines("link set up1 up"), 170},
		},
	},
	{
		name: "linkbeat", head: "linkbeat_interfaces {\n  up0 ETHTOOL\n  up2 IOCTL\n}\n",
		lines:   []string{"track_interface {", "  up0 weight 20", "  up2 weight 5", "}"},
		prepare: ipLines("link add up0 type veth peer name up1", "link set up0 up", "link set up1 up", "link add up2 type veth peer name up3", "link set up2 up", "link set up3 up"),
		situations: []situation{
			{"up", ipLines(), 175},
			{"no carrier", ipLines("link set up1 down"), 155},
			{"off", ipLines("link set up2 down"), 150},
			{"up again", ipLines("link set up1 up", "link set up2 up"), 175},
		},
	},
}

// TestPairTracked takes a pair through what becomes of tracked files and
// interfaces, tandem tracking and keepalived the peer, and the other way round: in
// each situation the same priority is on the wire and the same node is master.
func TestPairTracked(t *testing.T) {
	t.Parallel()
	for _, tc := range trackCases {
		for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}} {
			t.Run(tc.name+"/"+names[0]+"-tracks", func(t *testing.T) {
				t.Parallel()
				p := newPair(t, quick, names[0], names[1])
				tr := &tracking{pair: p, file: filepath.Join(p.lb1.Dir, "number")}
				must(t, tc.prepare(tr))
				must(t, p.lb1.Write(strings.ReplaceAll(tc.head, "FILE", tr.file)+quick.conf(p.lb1.Host, p.lb2.Host, 150, tc.lines...)))
				start(t, p.lb1, p.lb2)
				p.holds(p.lb1, quick.masterDown(150)+slack)
				for _, s := range tc.situations {
					must(t, s.make(tr))
					if s.priority == 0 {
						p.holds(p.lb2, quick.masterDown(100)+slack)
					} else {
						p.holds(p.lb1, quick.masterDown(150)+slack)
						p.lasts(p.lb1, s.name, s.priority)
					}
				}
			})
		}
	}
}

// lasts waits until the node adverts the priority, three times in a row.
func (p *pair) lasts(a *lab.Agent, what string, want uint8) {
	p.t.Helper()
	source, in, last := p.from(a), 0, uint8(0)
	_, err := p.lab.Capture.WaitAdvert(within(p.t, slack), 1, func(ad lab.Advert) bool {
		if ad.Source != source {
			return false
		}
		if last = ad.Priority; last != want {
			in = 0
			return false
		}
		in++
		return in == 3
	})
	if err != nil {
		p.t.Fatalf("%s: %s adverts %d, want %d: %v", what, a.Host.Name, last, want, err)
	}
}

// TestPairTrackProcess counts processes, which keepalived cannot in a network
// namespace: the addresses follow, and status tells how many there are.
func TestPairTrackProcess(t *testing.T) {
	t.Parallel()
	p := newPair(t, quick, "tandem", "keepalived")
	h := p.lb1.Host
	program := filepath.Join(p.lb1.Dir, fmt.Sprintf("srv%d", os.Getpid()))
	must(t, copyProgram("sleep", program))
	head := fmt.Sprintf("vrrp_track_process few {\n  process %s 1000\n  weight -60\n}\nvrrp_track_process many {\n  process %s\n  weight 5\n  quorum 2\n  fork_delay 0.3\n  terminate_delay 0.3\n}\n",
		program, filepath.Base(program))
	must(t, p.lb1.Write(head+quick.conf(h, p.lb2.Host, 150, "track_process {", "  few", "  many", "}")))
	run := func(arg string) *lab.Process {
		t.Helper()
		c, err := h.Start(filepath.Join(p.lb1.Dir, "srv.log"), nil, program, arg)
		must(t, err)
		return c
	}
	one := run("1000")
	p.lead()
	p.lasts(p.lb1, "one runs", 150)
	two := run("2000")
	p.lasts(p.lb1, "two run", 155)
	two.Kill()
	p.lasts(p.lb1, "one runs again", 150)
	one.Kill()
	p.holds(p.lb2, quick.masterDown(100)+slack)
	if s := instance(t, p.lb1, "VI_1"); s.Priority != 90 {
		t.Errorf("priority %d with none running, want 90", s.Priority)
	}
	says(t, p.lb1, "Quorum lost for tracked process few")
	run("1000")
	p.holds(p.lb1, quick.masterDown(150)+slack)
	p.lasts(p.lb1, "one runs at last", 150)
}

func copyProgram(name, to string) error {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			return lab.WriteProgram(to, b, 0o755)
		}
	}
	return fmt.Errorf("no program %s", name)
}

// TestPairTrackGroup has a sync group track for its members, with the weights that
// it was told to keep.
func TestPairTrackGroup(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"tandem", "keepalived"}, {"keepalived", "tandem"}} {
		t.Run(names[0]+"-tracks", func(t *testing.T) {
			t.Parallel()
			m := quick
			m.instances = 2
			p := newPair(t, m, names[0], names[1])
			file := filepath.Join(p.lb1.Dir, "number")
			must(t, os.WriteFile(file, []byte("3\n"), 0o644))
			conf := strings.Replace(m.conf(p.lb1.Host, p.lb2.Host, 150), "vrrp_sync_group G1 {",
				"vrrp_sync_group G1 {\n  sync_group_tracking_weight\n  track_file {\n    load weight 2\n  }\n", 1)
			must(t, p.lb1.Write("track_file load {\n  file "+file+"\n}\n"+conf))
			start(t, p.lb1, p.lb2)
			p.holds(p.lb1, m.masterDown(150)+slack)
			for _, s := range []struct {
				number string
				want   uint8
			}{{"3", 156}, {"-10", 130}} {
				must(t, os.WriteFile(file, []byte(s.number), 0o644))
				for _, vrid := range []uint8{51, 52} {
					source := p.from(p.lb1)
					_, err := p.lab.Capture.WaitAdvert(within(t, slack), 3, func(a lab.Advert) bool {
						return a.Source == source && a.VRID == vrid && a.Priority == s.want
					})
					if err != nil {
						t.Fatalf("number %s, VRID %d: %v", s.number, vrid, err)
					}
				}
			}
			began := time.Now()
			must(t, os.WriteFile(file, []byte("-60"), 0o644))
			p.holds(p.lb2, m.masterDown(100)+slack)
			t.Logf("both moved after %v", time.Since(began).Round(time.Millisecond))
		})
	}
}
