package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// site is a configuration of services with what they may depend on.
const site = `global_defs {
    router_id one
}
$PORT=80
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress { 192.0.2.1 }
}
virtual_server 192.0.2.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    sorry_server 198.51.100.9 80
    real_server 198.51.100.1 80 {
        weight 2
        HTTP_GET {
            url {
                path /
                status_code 200
            }
        }
    }
    real_server 198.51.100.2 80 { TCP_CHECK { } }
}
virtual_server 192.0.2.2 80
{
    lvs_sched wlc # all of them
    lvs_method DR
    protocol TCP
    real_server 198.51.100.1 80 {
        SMTP_CHECK { }
    }
}   # end
virtual_server 192.0.2.3 $PORT {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    @tandem follow_instance VI_1
    real_server 198.51.100.1 80 {
        notify_up "/bin/true"
    }
}
virtual_server fwmark 3 { lvs_sched rr
    lvs_method NAT
    real_server 198.51.100.1 80 { DNS_CHECK { } } }
virtual_server_group G {
    192.0.2.4-5 80
}
virtual_server group G {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 198.51.100.1 80 {
        MISC_CHECK { misc_path "/bin/true" }
    }
}
virtual_server 192.0.2.6 80 {
    real_server 198.51.100.1 80 {
    }
}
`

// loadWhole loads a file and takes every block apart where it stands.
func loadWhole(path string, o Options) (*Config, []Diagnostic) {
	l := newLoader(o)
	if err := l.readAll(path); err != nil {
		return missing(path, err)
	}
	read := func(o Options) (*loader, error) {
		other := newLoader(o)
		return other, other.readAll(path)
	}
	return l.decode(read).cfg, l.sorted()
}

// loadBoth loads the text by the reader and anew, with no block left as text, and
// fails where that differs.
func loadBoth(t *testing.T, r *Reader, path, text string, o Options) *Config {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, gotDiagnostics := r.Load(path, o)
	want, wantDiagnostics := loadWhole(path, o)
	whole := cmp.Exporter(func(reflect.Type) bool { return true })
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("the configuration differs from one read anew:\n%s\nof\n%s", cmp.Diff(want, got, whole), text)
	}
	if !reflect.DeepEqual(wantDiagnostics, gotDiagnostics) {
		t.Fatalf("the diagnostics differ from those of one read anew:\n%s\nof\n%s", cmp.Diff(wantDiagnostics, gotDiagnostics, whole), text)
	}
	return got
}

// TestReaderReadsAsAnew removes, doubles and swaps each line in turn, and puts
// others before it.
func TestReaderReadsAsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.conf")
	lines := strings.SplitAfter(strings.TrimSuffix(site, "\n"), "\n")
	extra := []string{"\n", "# a comment\n", "{\n", "}\n", "$PORT=81\n", "real_server 198.51.100.1 80 { ", "virtual_server 192.0.2.1 80 {\n",
		"virtual_server 192.0.2.1 80 { lvs_sched rr\n", "include none.conf\n", "$MANY= \\\n", "@other ", "@tandem ", "\"", "~SEQ(A, 2) ",
		"global_defs {\n checker_log_all_failures\n}\n", "quorum 9\n", "weight x\n"}
	var r Reader
	for i := range lines {
		var texts []string
		edit := func(with ...string) {
			texts = append(texts, strings.Join(slices.Concat(lines[:i], with, lines[i+1:]), ""))
		}
		edit()
		edit(lines[i], lines[i])
		for k := range 4 {
			edit(extra[(4*i+k)%len(extra)], lines[i])
		}
		if i+1 < len(lines) {
			texts = append(texts, strings.Join(slices.Concat(lines[:i], []string{lines[i+1], lines[i]}, lines[i+2:]), ""))
		}
		for _, text := range texts {
			if err := os.WriteFile(path, []byte(site), 0o600); err != nil {
				t.Fatal(err)
			}
			r.Load(path, Options{})
			loadBoth(t, &r, path, text, Options{})
		}
	}
	loadBoth(t, &r, path, site, Options{ID: "other"})
	loadBoth(t, &r, path, site+site, Options{ID: "other"})
	loadBoth(t, &r, path, site+site, Options{ID: "other"})
}

func TestReaderSharesWhatIsTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.conf")
	var r Reader
	service := func(c *Config, name string) *VirtualServer {
		i := slices.IndexFunc(c.VirtualServers, func(v *VirtualServer) bool { return v.Name == name })
		return c.VirtualServers[i]
	}
	first := loadBoth(t, &r, path, site, Options{})
	second := loadBoth(t, &r, path, strings.Replace(site, "weight 2", "weight 3", 1), Options{})
	changed, same := "[192.0.2.1]:tcp:80", "[192.0.2.2]:tcp:80"
	if service(first, changed) == service(second, changed) || service(second, changed).RealServers[0].Weight != 3 {
		t.Error("the service that changed was not read")
	}
	if service(first, same) != service(second, same) {
		t.Error("the service that stays as it was is made anew")
	}
	third := loadBoth(t, &r, path, "# moved\n"+site, Options{})
	if got, was := service(third, same).Pos.Line, service(second, same).Pos.Line; got != was+1 {
		t.Errorf("a service that moves a line down is in line %d, was in %d", got, was)
	}
	fourth := loadBoth(t, &r, path, "global_defs { checker_log_all_failures }\n"+site, Options{})
	if service(fourth, same) == service(third, same) {
		t.Error("a service is not read again where what it inherits has changed")
	}
}

// TestReaderHostIsAskedAgain removes a script between two loads of one text.
func TestReaderHostIsAskedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.conf")
	var r Reader
	there := &hostWithScripts{there: true}
	loadBoth(t, &r, path, site, Options{Environment: there})
	there.there = false
	if _, ds := r.Load(path, Options{Environment: there}); !slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code == "script-unusable" }) {
		t.Error("a script that has gone is not missed")
	}
}

type hostWithScripts struct{ there bool }

func (h *hostWithScripts) Interface(string) bool { return true }

func (h *hostWithScripts) Script(Command, bool) error {
	if h.there {
		return nil
	}
	return os.ErrNotExist
}

func FuzzReader(f *testing.F) {
	f.Add(site, strings.Replace(site, "weight 2", "weight 3", 1))
	f.Add(site, "x\n"+site)
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "include") || strings.Contains(before+after, "_RANDOM") {
			t.Skip("what other files and chance say is not the same twice")
		}
		path := filepath.Join(t.TempDir(), "f.conf")
		var r Reader
		loadBoth(t, &r, path, before, Options{})
		loadBoth(t, &r, path, after, Options{})
		loadBoth(t, &r, path, before, Options{})
	})
}

// bigFile is a file of 10 000 real servers in 1000 services, the last of which has
// the weight.
func bigFile(weight int) string {
	var b strings.Builder
	b.WriteString("global_defs {\n    router_id one\n}\n")
	for v := range 1000 {
		fmt.Fprintf(&b, "virtual_server 10.30.%d.%d 80 {\n    lvs_sched rr\n    lvs_method NAT\n    protocol TCP\n", v/250, v%250+1)
		for r := range 10 {
			w := 1
			if v == 500 && r == 5 {
				w = weight
			}
			n := v*10 + r
			fmt.Fprintf(&b, "    real_server 10.20.%d.%d 80 {\n        weight %d\n    }\n", n/250, n%250+1, w)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f.conf")
	if err := os.WriteFile(path, []byte(bigFile(1)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Load(path, Options{})
	}
}

// BenchmarkReload loads the file with one change.
func BenchmarkReload(b *testing.B) {
	dir := b.TempDir()
	texts := []string{bigFile(1), bigFile(2)}
	path := filepath.Join(dir, "f.conf")
	var r Reader
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		if err := os.WriteFile(path, []byte(texts[i%2]), 0o600); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r.Load(path, Options{})
	}
}

// The first load reads the file once: there is nothing known that could not count.
func TestReaderReadsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.conf")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(path, []byte(bigFile(1)), 0) }()
	read := make(chan int, 1)
	go func() {
		var r Reader
		cfg, _ := r.Load(path, Options{})
		read <- len(cfg.VirtualServers)
	}()
	select {
	case n := <-read:
		if n != 1000 {
			t.Errorf("%d services are read, want 1000", n)
		}
	case <-time.After(30 * time.Second):
		t.Error("the file is read again")
		// For who reads.
		_ = os.WriteFile(path, nil, 0)
	}
}
