package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// manySorts is a file of services of all sorts: such as stand for themselves, such as
// there is something to say about, and such as ask for something elsewhere.
func manySorts(count int) string {
	var b strings.Builder
	b.WriteString("global_defs {\n router_id many\n checker_log_all_failures\n}\nvrrp_track_file f {\n file /run/f\n}\nvirtual_server_group g {\n 192.0.2.9 80\n}\n")
	for i := range count {
		fmt.Fprintf(&b, "virtual_server 10.30.%d.%d 80 {\n lvs_sched rr\n lvs_method NAT\n", i/250, i%250+1)
		if i%11 != 0 {
			b.WriteString(" protocol TCP\n")
		}
		fmt.Fprintf(&b, " sorry_server 10.1.1.1\n real_server 10.20.%d.%d {\n  weight %d\n  TCP_CHECK {\n   connect_timeout 3\n  }\n", i/250, i%250+1, i%7)
		switch i % 13 {
		case 1:
			b.WriteString("  weigth 3\n")
		case 2:
			b.WriteString("  notify_up \"/bin/true\"\n")
		case 3:
			b.WriteString("  FILE_CHECK {\n   track_file f\n  }\n")
		case 4:
			b.WriteString("  uthreshold 1\n  lthreshold 2\n")
		}
		b.WriteString(" }\n real_server 10.20.1.1 8080 {\n }\n")
		if i%17 == 0 {
			b.WriteString(" real_server 10.20.1.1 8080 {\n }\n")
		}
		b.WriteString("}\n")
		if i%19 == 0 {
			b.WriteString("virtual_server group g {\n protocol TCP\n real_server 10.20.3.1 80 {\n }\n}\nvirtual_server 10.30.0.1 80 {\n}\n")
		}
	}
	return b.String()
}

// Services decoded side by side mean what they mean one after the other, and the same
// is said about them in the same order.
func TestCrew(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	path := filepath.Join(t.TempDir(), "f.conf")
	for _, count := range []int{1, 2 * crewWork, 300} {
		if err := os.WriteFile(path, []byte(manySorts(count)), 0o600); err != nil {
			t.Fatal(err)
		}
		plain := func(o Options) (*loader, error) {
			l := newLoader(o)
			return l, l.readAll(path)
		}
		l, err := plain(Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := l.decode(plain).cfg
		got, ds := Load(path, Options{})
		if !reflect.DeepEqual(got, want) {
			for _, d := range Differences(want, got) {
				t.Error(d)
			}
			t.Errorf("%d services: not what they are one after the other", count)
		}
		if !reflect.DeepEqual(ds, l.sorted()) {
			t.Errorf("%d services: said is %v, want %v", count, ds, l.sorted())
		}
		var r Reader
		r.Load(path, Options{})
		if again, _ := r.Load(path, Options{}); !reflect.DeepEqual(again, want) {
			t.Errorf("%d services: not the same when read again", count)
		}
	}
}

// Most of a large file is known before its turn, and nothing there is something to
// say about.
func TestForetold(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	path := filepath.Join(t.TempDir(), "f.conf")
	if err := os.WriteFile(path, []byte(manySorts(300)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := readServices(path, Options{}, memory{})
	if err != nil {
		t.Fatal(err)
	}
	d := l.decodeTree(l.tree())
	said := map[int]bool{}
	for _, s := range l.sorted() {
		said[s.Pos.Line] = true
	}
	ready := 0
	for _, n := range l.tree().Nodes {
		if n.passage == nil || n.passage.ready == nil {
			continue
		}
		ready++
		for line := n.passage.first + 1; line <= n.passage.first+n.passage.lines; line++ {
			if said[line] && n.Words[1].Value != "10.30.0.1" {
				t.Errorf("line %d is known, and there is something to say about it", line)
			}
		}
	}
	if ready < 150 || ready > len(d.cfg.VirtualServers) {
		t.Errorf("%d of %d are known before their turn", ready, len(d.cfg.VirtualServers))
	}
}

// Where a passage ends does not depend on who finds it, nor on when.
func TestForeseen(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	text := strings.ReplaceAll(manySorts(300), "virtual_server 10.30.0.7 80 {\n", "virtual_server 10.30.0.7 80 {\nvirtual_server 10.30.0.8 80 {\n}\n")
	src := newSource("f.conf", text, nil)
	ahead := foresee(src)
	found := 0
	for n := range src.lines {
		p, ok := passageAt(src, n, new(extent))
		if got := ahead[n]; ok != (got != nil) || ok && !reflect.DeepEqual(*got, p) {
			t.Errorf("line %d: foreseen is %v, there is %v", n+1, got, p)
		}
		if ok {
			found++
		}
	}
	if found < 300 {
		t.Errorf("%d passages are found", found)
	}
}
