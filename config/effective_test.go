package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseEffective is LoadEffective from memory, as Parse is Load.
func parseEffective(name string, src []byte, o Options) *Effective {
	l := newLoader(o)
	l.file(newSource(name, string(src), nil))
	return newEffective(l)
}

// loadsBack asserts that the effective configuration means the same as what it
// was made of, and is effective itself.
func loadsBack(t *testing.T, name, in string, o Options) {
	t.Helper()
	e := parseEffective(name, []byte(in), o)
	conf, err := e.Conf()
	if err != nil {
		t.Errorf("%v in\n%s", err, in)
		return
	}
	again, ds := Parse(name, conf, o)
	if !Equal(e.Config, again) {
		t.Errorf("%s\ncomes to\n%s\nwhich means something else (-want +got):\n%s\n%v", in, conf, configDiff(e.Config, again), ds)
	}
	if Runnable(e.Diagnostics) && !Runnable(ds) {
		t.Errorf("%s\ncomes to\n%s\nwhich cannot run: %v", in, conf, ds)
	}
}

func TestEffectiveLoadsBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, _, _ := strings.Cut(string(content), separator)
			for _, id := range []string{"east", "west"} {
				loadsBack(t, "in.conf", in, Options{ID: id, Environment: host{}})
			}
			pointers(t, parseEffective("in.conf", []byte(in), Options{ID: "east", Environment: host{}}))
		})
	}
}

// pointers asserts that each scalar of the JSON has an origin and nothing else.
func pointers(t *testing.T, e *Effective) {
	t.Helper()
	text, err := json.Marshal(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	origins := e.Origins()
	found := map[string]bool{}
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				walk(x, at+"/"+escapePointer(name))
			}
		case []any:
			for i, x := range v {
				walk(x, at+"/"+strconv.Itoa(i))
			}
		case nil:
		default:
			found[at] = true
			o, ok := origins[at]
			if !ok {
				t.Errorf("%s = %v has no origin", at, v)
			}
			if ok && (o.Kind == FromDefault) != (o.Pos == Pos{}) {
				t.Errorf("%s: %+v", at, o)
			}
		}
	}
	walk(decoded, "")
	for p := range origins {
		if !found[p] {
			t.Errorf("the origin of %s is of nothing", p)
		}
	}
}

const inherited = `$NET=192.0.2
global_defs {
    vrrp_garp_master_delay 7
    vrrp_min_garp
    vrrp_strict off
    script_user nobody
    checker_log_all_failures
    process_names
}
vrrp_script chk {
    script "/bin/true 'a b' \"c\" #d"
    interval 2
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    advert_int 1.4
    @east priority 150
    virtual_ipaddress {
        ${NET}.10/24 label "eth0:1"
    }
    track_script {
        chk
    }
    authentication {
        auth_type PASS
        auth_pass a\#b
    }
    debug 3
    unknown 5
}
virtual_server ${NET}.10 80 {
    delay_loop 9
    lb_algo wrr
    lvs_method DR
    retry 3
    protocol TCP
    @tandem follow_instance VI_1
    real_server 198.51.100.1 80 {
        retry 4
        weight 5
        HTTP_GET {
            warmup 1
            url { path "/a b" }
        }
    }
}
`

func TestEffectiveConf(t *testing.T) {
	e := parseEffective("in.conf", []byte(inherited), Options{ID: "east", Environment: host{}})
	conf, err := e.Conf()
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/effective.conf"
	got := strings.ReplaceAll(string(conf), "router_id "+e.Config.Global.RouterID+" ", "router_id HOST ")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The comments' column depends on the host's name.
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if squeeze(string(want)) != squeeze(got) {
		t.Errorf("-want +got:\n%s", cmp.Diff(string(want), got))
	}
	loadsBack(t, "in.conf", inherited, Options{ID: "east", Environment: host{}})
}

func TestOrigins(t *testing.T) {
	e := parseEffective("in.conf", []byte(inherited), Options{ID: "east", Environment: host{}})
	pointers(t, e)
	origins := e.Origins()
	for pointer, want := range map[string]string{
		"/global/router_id":                                                     "default",
		"/global/script_user/name":                                              "in.conf:6",
		"/scripts/0/name":                                                       "in.conf:10",
		"/scripts/0/interval":                                                   "in.conf:12",
		"/scripts/0/timeout":                                                    "default",
		"/scripts/0/command/args/0":                                             "in.conf:11",
		"/scripts/0/command/user/name":                                          "global_defs, in.conf:6",
		"/instances/0/name":                                                     "in.conf:14",
		"/instances/0/priority":                                                 "in.conf:18",
		"/instances/0/version":                                                  "default",
		"/instances/0/advert_interval":                                          "in.conf:17",
		"/instances/0/addresses/0/prefix":                                       "in.conf:20",
		"/instances/0/track_scripts/0/name":                                     "in.conf:23",
		"/instances/0/auth_pass":                                                "in.conf:27",
		"/instances/0/garp/delay":                                               "global_defs, in.conf:3",
		"/instances/0/garp/repeat":                                              "global_defs, in.conf:4",
		"/instances/0/garp/lower_prio_delay":                                    "global_defs, in.conf:3",
		"/instances/0/preempt":                                                  "default",
		"/virtual_servers/0/scheduler":                                          "in.conf:34",
		"/virtual_servers/0/quorum":                                             "default",
		"/virtual_servers/0/follow_instance":                                    "in.conf:38",
		"/virtual_servers/0/real_servers/0/weight":                              "in.conf:41",
		"/virtual_servers/0/real_servers/0/forwarding/method":                   "virtual_server, in.conf:35",
		"/virtual_servers/0/real_servers/0/checks/0/interval":                   "virtual_server, in.conf:33",
		"/virtual_servers/0/real_servers/0/checks/0/retries":                    "real_server, in.conf:40",
		"/virtual_servers/0/real_servers/0/checks/0/warmup":                     "in.conf:43",
		"/virtual_servers/0/real_servers/0/checks/0/log_all_failures":           "global_defs, in.conf:7",
		"/virtual_servers/0/real_servers/0/checks/0/connect/port":               "default",
		"/virtual_servers/0/real_servers/0/checks/0/http/urls/0/path":           "in.conf:44",
		"/virtual_servers/0/real_servers/0/checks/0/http/protocol":              "default",
		"/virtual_servers/0/real_servers/0/checks/0/http/urls/0/status/0/first": "in.conf:44",
	} {
		o, ok := origins[pointer]
		if !ok {
			t.Errorf("%s has no origin", pointer)
			continue
		}
		if got := o.String(); got != want {
			t.Errorf("%s: got %s, want %s", pointer, got, want)
		}
	}
}

// TestEffectiveGroup asserts that a group stays one, and that each service made
// of it has the origins of the block.
func TestEffectiveGroup(t *testing.T) {
	in := `virtual_server_group G {
    192.0.2.10-12 80
    fwmark 3
}
virtual_server group G {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 198.51.100.1 8080 {
        weight 3
        TCP_CHECK { }
    }
}
`
	loadsBack(t, "in.conf", in, Options{})
	e := parseEffective("in.conf", []byte(in), Options{})
	pointers(t, e)
	origins := e.Origins()
	if len(e.Config.VirtualServers) != 4 {
		t.Fatalf("%d services", len(e.Config.VirtualServers))
	}
	for i := range e.Config.VirtualServers {
		at := fmt.Sprintf("/virtual_servers/%d", i)
		if got := origins[at+"/scheduler"].String() + " " + origins[at+"/real_servers/0/weight"].String() + " " + origins[at+"/real_servers/0/checks/0/interval"].String(); got != "in.conf:6 in.conf:10 default" {
			t.Errorf("%s: %s", at, got)
		}
	}
}

// TestEffectiveInclude asserts that included files and blocks that several
// files make are told apart.
func TestEffectiveInclude(t *testing.T) {
	dir := write(t, map[string]string{
		"main.conf": "$N=1\ninclude vi.conf\n$N=2\ninclude vi.conf\n",
		"vi.conf":   "vrrp_instance VI_$N {\ninterface eth0\nvirtual_router_id $N\npriority 10$N\nvirtual_ipaddress {\n192.0.2.$N\n}\n}\n",
	})
	name := filepath.Join(dir, "main.conf")
	e := LoadEffective(name, Options{})
	conf, err := e.Conf()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Parse("x", conf, Options{})
	if !Equal(e.Config, again) || len(again.Instances) != 2 {
		t.Errorf("%s\n%s", conf, configDiff(e.Config, again))
	}
	if got, want := e.Origins()["/instances/1/priority"].String(), filepath.Join(dir, "vi.conf")+":4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e := LoadEffective(filepath.Join(dir, "none"), Options{}); e.Config == nil || len(e.Diagnostics) != 1 || e.Diagnostics[0].Code != "no-file" {
		t.Errorf("%+v", e)
	} else if _, err := e.Conf(); err != nil {
		t.Error(err)
	}
}

func TestEffectiveLines(t *testing.T) {
	for _, line := range []string{
		`script "/bin/a \"b\" \\ c#d \x01 {e}"`,
		`script '/bin/a "b" $X'`,
		`script /bin/a\ b`,
		`script "/bin/` + strings.Repeat("x", 900) + `"`,
	} {
		loadsBack(t, "in.conf", "vrrp_script a {\n"+line+"\n}\n", Options{})
	}
	in := "$A=" + strings.Repeat("x", 1000) + "\nvrrp_script a {\nscript \"/bin/$A ${A}\"\n}\n"
	if conf, err := parseEffective("in.conf", []byte(in), Options{}).Conf(); err == nil {
		t.Errorf("a line of more than 1023 bytes is written:\n%s", conf)
	}
}

// FuzzEffective asserts that the effective configuration of anything can be
// written or is refused, that its own effective configuration is the same, and
// that each of its values has an origin.
func FuzzEffective(f *testing.F) {
	seeds(f)
	f.Add(inherited)
	f.Fuzz(func(t *testing.T, in string) {
		if strings.Contains(in, "include") {
			return
		}
		e := parseEffective("in.conf", []byte(in), Options{ID: "east", Environment: host{}})
		pointers(t, e)
		if _, err := e.Conf(); err == nil && Runnable(e.Diagnostics) {
			loadsBack(t, "in.conf", in, Options{ID: "east", Environment: host{}})
		}
	})
}
