package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/daemon"
	"github.com/tandem-ha/tandem/internal/logging"
)

// newProgram is a program with its output in buffers.
func newProgram(name string) (p *program, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &program{name: name, stdout: stdout, stderr: stderr, getenv: func(string) string { return "" }, terminal: func(any) bool { return false }, patience: time.Minute}, stdout, stderr
}

// TestKeepalivedOptions goes through every option of keepalived 2.4.3: each is
// taken up, or refused by name, in its short and its long form.
func TestKeepalivedOptions(t *testing.T) {
	const (
		accept = iota
		refuse
		inform
	)
	for _, o := range []struct {
		short, long string
		value       string
		outcome     int
		// effect changes the default settings as the option should.
		effect func(*settings)
	}{
		{"f", "use-file", "/x", accept, func(s *settings) { s.configFile = "/x" }},
		{"P", "vrrp", "", accept, func(s *settings) { s.checkers = false }},
		{"C", "check", "", accept, func(s *settings) { s.vrrp = false }},
		{"B", "no_bfd", "", accept, func(s *settings) { s.bfd = false }},
		{"", "all", "", accept, nil},
		{"l", "log-console", "", accept, func(s *settings) { s.console = true }},
		{"D", "log-detail", "", accept, func(s *settings) { s.detail = 1 }},
		{"S", "log-facility", "local3", accept, func(s *settings) { s.facility = logging.Local0 + 3 }},
		{"S", "log-facility", "7", accept, func(s *settings) { s.facility = logging.Local0 + 7 }},
		{"S", "log-facility", "user", accept, func(s *settings) { s.facility = logging.User }},
		{"g", "log-file", "", refuse, nil},
		{"", "flush-log-file", "", refuse, nil},
		{"G", "no-syslog", "", accept, func(s *settings) { s.syslog = false }},
		{"u", "umask", "022", accept, func(s *settings) { s.umask, s.umaskGiven = 0o22, true }},
		{"u", "umask", "0x1f", accept, func(s *settings) { s.umask, s.umaskGiven = 0x1f, true }},
		{"X", "release-vips", "", accept, nil},
		{"V", "dont-release-vrrp", "", accept, func(s *settings) { s.keepVIPs = true }},
		{"I", "dont-release-ipvs", "", accept, func(s *settings) { s.keepIPVS = true }},
		{"R", "dont-respawn", "", accept, nil},
		{"n", "dont-fork", "", accept, func(s *settings) { s.foreground = true }},
		{"d", "dump-conf", "", accept, func(s *settings) { s.dumpConfig = true }},
		{"p", "pid", "/p", accept, func(s *settings) { s.pidFile = "/p" }},
		{"r", "vrrp_pid", "/r", accept, func(s *settings) { s.vrrpPID = "/r" }},
		{"c", "checkers_pid", "/c", accept, func(s *settings) { s.checkersPID = "/c" }},
		{"b", "bfd_pid", "/b", accept, func(s *settings) { s.bfdPID = "/b" }},
		{"T", "genhash", "", inform, nil}, // without options it tells its usage
		{"a", "address-monitoring", "", refuse, nil},
		{"x", "snmp", "", refuse, nil},
		{"A", "snmp-agent-socket", "/s", refuse, nil},
		{"s", "namespace", "blue", accept, func(s *settings) { s.namespace = "blue" }},
		{"m", "core-dump", "", accept, func(s *settings) { s.coreDump = true }},
		{"M", "core-dump-pattern", "", refuse, nil},
		{"", "no-mem-check", "", refuse, nil},
		{"L", "mem-check-log", "", refuse, nil},
		{"O", "openssl-mem-check", "", refuse, nil},
		{"e", "all-config", "", refuse, nil},
		{"i", "config-id", "lb1", accept, func(s *settings) { s.configID = "lb1" }},
		{"", "ignore-sigint", "", accept, func(s *settings) { s.ignoreSigint = true }},
		{"", "signum", "STOP", inform, nil},
		{"t", "config-test", "", accept, func(s *settings) { s.test = true }},
		{"", "config-fd", "3", refuse, nil},
		{"", "perf", "", refuse, nil},
		{"", "debug", "", refuse, nil},
		{"v", "version", "", inform, nil},
		{"h", "help", "", inform, nil},
		// tandem's own.
		{"", "run-dir", "/run/x", accept, func(s *settings) { s.runDir = "/run/x" }},
		{"", "state-dir", "/var/x", accept, func(s *settings) { s.stateDir = "/var/x" }},
		{"", "socket", "/x.sock", accept, func(s *settings) { s.socket = "/x.sock" }},
	} {
		var forms [][]string
		add := func(words ...string) { forms = append(forms, words) }
		if o.value == "" {
			add("--" + o.long)
		} else {
			add("--"+o.long, o.value)
			add("--" + o.long + "=" + o.value)
		}
		if o.short != "" && o.value == "" {
			add("-" + o.short)
		} else if o.short != "" {
			add("-"+o.short, o.value)
			add("-" + o.short + o.value)
		}
		for _, args := range forms {
			p, _, stderr := newProgram("keepalived")
			got, status, ok := p.parseOptions(newSettings(), args)
			switch o.outcome {
			case accept:
				want := newSettings()
				if o.effect != nil {
					o.effect(&want)
				}
				if !ok || stderr.Len() > 0 {
					t.Errorf("%v is not accepted: %s", args, stderr)
				}
				if d := cmp.Diff(want, got, cmp.AllowUnexported(settings{}, places{})); d != "" {
					t.Errorf("%v (-want +got):\n%s", args, d)
				}
			case refuse:
				if ok || status != 1 || !strings.Contains(stderr.String(), "--"+o.long) {
					t.Errorf("%v is not refused by name: %d %q", args, status, stderr)
				}
			case inform:
				if ok || status != 0 && o.long != "genhash" {
					t.Errorf("%v: status %d, %s", args, status, stderr)
				}
			}
		}
	}
}

func TestOptionTableIsSound(t *testing.T) {
	shorts, longs := map[byte]bool{}, map[string]bool{}
	for _, o := range optionTable() {
		if o.short != 0 && shorts[o.short] || longs[o.long] {
			t.Errorf("%s is there twice", o.spelling())
		}
		shorts[o.short], longs[o.long] = true, true
		ways := 0
		for _, has := range []bool{o.refuse != "", o.set != nil, o.act != nil} {
			if has {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s does %d things", o.spelling(), ways)
		}
		if o.refuse == "" && o.help == "" {
			t.Errorf("%s has no help", o.spelling())
		}
		if (o.arg == noArgument) != (o.value == "") {
			t.Errorf("%s: the name of its argument is %q", o.spelling(), o.value)
		}
	}
}

func TestGetopt(t *testing.T) {
	for _, tc := range []struct {
		args string
		// want is the options found, as name=value, and the problems.
		want  string
		words string
	}{
		{"-nlD", "dont-fork log-console log-detail", ""},
		{"-nlf/x", "dont-fork log-console use-file=/x", ""},
		{"-nlf /x", "dont-fork log-console use-file=/x", ""},
		{"-DD", "log-detail log-detail", ""},
		{"-t", "config-test", ""},
		{"-tLOG", "config-test=LOG", ""},
		{"-t=LOG", "config-test==LOG", ""},
		{"-t LOG", "config-test", "LOG"},
		{"--config-test=LOG", "config-test=LOG", ""},
		{"--config-test LOG", "config-test", "LOG"},
		{"--config-test=", "config-test", ""},
		{"--use-file=/x", "use-file=/x", ""},
		{"--use-file /x", "use-file=/x", ""},
		{"--use-file -n", "use-file=-n", ""},
		{"-f -n", "use-file=-n", ""},
		// Abbreviations, as getopt_long has them.
		{"--use /x", "use-file=/x", ""},
		{"--dump", "dump-conf", ""},
		{"--vrrp", "vrrp", ""},
		{"--vrrp_", "Missing parameter for option --vrrp_pid", ""},
		{"--release", "release-vips", ""},
		{"--r", "release-vips", ""},
		{"--dont", "Unknown option --dont: it could be --dont-release-vrrp, --dont-release-ipvs, --dont-respawn or --dont-fork", ""},
		{"--", "", ""},
		{"a -n b -- -l c", "dont-fork", "a b -l c"},
		{"-", "", "-"},
		// Problems stand where they occur, and all are found.
		{"-n --bogus -l -Z --use-file", "dont-fork|Unknown option --bogus|log-console|Unknown option -Z|Missing parameter for option --use-file", ""},
		{"-nZl", "dont-fork|Unknown option -Z|log-console", ""},
		{"-f", "Missing parameter for option -f", ""},
		{"-nf", "dont-fork|Missing parameter for option -f", ""},
		{"--use-file=", "Missing parameter for option --use-file", ""},
		{"--log-console=3", "Unknown option --log-console=3: --log-console takes no argument", ""},
		{"--use-fiel /x", "Unknown option --use-fiel (did you mean --use-file?)", "/x"},
		{"--run", "Unknown option --run (did you mean --run-dir?)", ""},
	} {
		items, words := getopt(optionTable(), strings.Fields(tc.args))
		var got []string
		for _, i := range items {
			switch {
			case i.problem != "":
				got = append(got, i.problem)
			case i.value != "":
				got = append(got, i.long+"="+i.value)
			default:
				got = append(got, i.long)
			}
		}
		separator := " "
		if strings.Contains(tc.want, "|") {
			separator = "|"
		}
		if text := strings.Join(got, separator); text != tc.want || strings.Join(words, " ") != tc.words {
			t.Errorf("%s:\n got %q and %q\nwant %q and %q", tc.args, text, words, tc.want, tc.words)
		}
	}
}

func TestBadOptionsEndTheProgram(t *testing.T) {
	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string
	}{
		{"--bogus -Z", 1, "", "Unknown option --bogus\nUnknown option -Z\n"},
		{"-f", 1, "", "Missing parameter for option -f\n"},
		{"-x --bogus", 1, "", "Option --snmp is not supported: tandem has no SNMP agent\nUnknown option --bogus\n"},
		// What comes before an option that acts at once is reported, what
		// comes after is not looked at.
		{"--bogus --signum RELOAD -Z", 0, "1\n", "Unknown option --bogus\n"},
		{"--signum TDUMP", 1, "", "Unknown sigfunc TDUMP\n"},
		{"--signum stop", 1, "", "Unknown sigfunc stop\n"},
		{"--signum STATS_CLEAR", 0, "63\n", ""},
		{"--signum JSON", 0, "36\n", ""},
		{"--signum DATA", 0, "10\n", ""},
		{"--signum STATS", 0, "12\n", ""},
	} {
		p, stdout, stderr := newProgram("keepalived")
		if status := p.main(strings.Fields(tc.args)); status != tc.status || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
			t.Errorf("%s: %d %q %q", tc.args, status, stdout, stderr)
		}
	}
}

func TestInvalidValuesKeepTheDefault(t *testing.T) {
	for _, args := range []string{"-S 9", "-S kern", "-u abc", "-u 01777"} {
		p, _, stderr := newProgram("tandem")
		s, _, ok := p.parseOptions(newSettings(), strings.Fields(args))
		if d := cmp.Diff(newSettings(), s, cmp.AllowUnexported(settings{}, places{})); !ok || d != "" || stderr.Len() == 0 {
			t.Errorf("%s: %t %q %s", args, ok, stderr, d)
		}
	}
}

func TestExtraWords(t *testing.T) {
	p, stdout, _ := newProgram("keepalived")
	if _, _, ok := p.parseOptions(newSettings(), []string{"-n", "status", "foo"}); !ok || stdout.String() != "Unexpected argument(s): status foo\n" {
		t.Errorf("keepalived: %t %q", ok, stdout)
	}
	// Called tandem, a command in the wrong place must not start a daemon.
	p, _, stderr := newProgram("tandem")
	if _, status, ok := p.parseOptions(newSettings(), []string{"-n", "status"}); ok || status != 1 || !strings.Contains(stderr.String(), "comes first") {
		t.Errorf("tandem: %t %d %q", ok, status, stderr)
	}
}

func TestPlaces(t *testing.T) {
	env := map[string]string{"TANDEM_RUN": "/r", "TANDEM_STATE": "/s", "TANDEM_SOCKET": "/t"}
	getenv := func(k string) string { return env[k] }
	none := func(string) string { return "" }
	run := func(k string) string { return map[string]string{"TANDEM_RUN": "/r"}[k] }
	for _, tc := range []struct {
		name      string
		given     places
		getenv    func(string) string
		namespace string
		want      places
	}{
		{"defaults", places{}, none, "", places{"/run/tandem", "/var/lib/tandem", "/run/tandem/tandem.sock"}},
		{"namespace", places{}, none, "blue", places{"/run/tandem/blue", "/var/lib/tandem/blue", "/run/tandem/blue/tandem.sock"}},
		{"environment", places{}, getenv, "", places{"/r", "/s", "/t"}},
		{"socket in the run folder", places{}, run, "", places{"/r", "/var/lib/tandem", "/r/tandem.sock"}},
		{"options win", places{runDir: "/o", socket: "/p"}, getenv, "", places{"/o", "/s", "/p"}},
	} {
		if got := tc.given.resolve(tc.getenv, tc.namespace); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// One process with -P and one with -C are kept apart by -p alone.
func TestPIDFilesOfTheHalves(t *testing.T) {
	for _, tc := range []struct {
		args     string
		sessions int
		want     []string
	}{
		{"", 0, []string{"p", "v", "c"}},
		{"", 1, []string{"p", "v", "c", "b"}},
		{"-P", 0, []string{"p", "v"}},
		{"-C", 0, []string{"p", "c"}},
		{"-C", 1, []string{"p", "c", "b"}},
		{"-C -B", 1, []string{"p", "c"}},
	} {
		s, _, ok := new(program).parseOptions(newSettings(), append(strings.Fields(tc.args), "-pp", "-rv", "-cc", "-bb"))
		if !ok {
			t.Fatalf("%q is refused", tc.args)
		}
		s.take(&config.Config{BFD: make([]*config.BFDSession, tc.sessions)})
		if got := s.pidFiles(); !slices.Equal(got, tc.want) {
			t.Errorf("%q with %d BFD sessions: pid files %q, want %q", tc.args, tc.sessions, got, tc.want)
		}
	}
}

func TestPIDFilePaths(t *testing.T) {
	none := func(string) string { return "" }
	s := newSettings()
	if err := s.finish(none); err != nil {
		t.Fatal(err)
	}
	if s.pidFile != "/run/keepalived.pid" || s.vrrpPID != "/run/vrrp.pid" || s.checkersPID != "/run/checkers.pid" || s.bfdPID != "/run/bfd.pid" {
		t.Errorf("%+v", s)
	}
	for _, tc := range []struct {
		file              config.Process
		namespace         string
		pid, bfd, control string
	}{
		{config.Process{PIDFolder: true}, "", "/run/keepalived/keepalived.pid", "/run/keepalived/bfd.pid", "/run/tandem/tandem.sock"},
		{config.Process{PIDFolder: true, Instance: "two"}, "", "/run/keepalived/keepalived_two.pid", "/run/keepalived/bfd_two.pid", "/run/tandem/two/tandem.sock"},
		{config.Process{PIDFolder: true, NetNamespace: "red"}, "", "/run/keepalived/red/keepalived.pid", "/run/keepalived/red/bfd.pid", "/run/tandem/red/tandem.sock"},
		{config.Process{PIDFolder: true, NetNamespace: "red", Instance: "two"}, "blue", "/run/keepalived/blue/keepalived_two.pid", "/run/keepalived/blue/bfd_two.pid", "/run/tandem/blue/two/tandem.sock"},
		{config.Process{}, "blue", "/run/keepalived/blue/keepalived.pid", "/run/keepalived/blue/bfd.pid", "/run/tandem/blue/tandem.sock"},
	} {
		s = newSettings()
		s.namespace, s.vrrpPID = tc.namespace, "/v"
		s.take(&config.Config{Process: tc.file})
		if err := s.finish(none); err != nil {
			t.Fatal(err)
		}
		if s.pidFile != tc.pid || s.bfdPID != tc.bfd || s.socket != tc.control || s.vrrpPID != "/v" {
			t.Errorf("%+v: %+v", tc, s)
		}
	}
}

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("x: %w", &daemon.RunningError{PID: 1}), exitOK},
		{fmt.Errorf("x: %w", fs.ErrPermission), exitNoPermission},
		{fmt.Errorf("x: %w", unix.EPERM), exitNoPermission},
		{errors.New("x"), exitFatal},
	} {
		if got := exitStatus(tc.err); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	if got := didYouMean("swithover", commandNames(), ""); got != " (did you mean switchover?)" {
		t.Error(got)
	}
	if got := didYouMean("zzzzzz", commandNames(), ""); got != "" {
		t.Error(got)
	}
}
