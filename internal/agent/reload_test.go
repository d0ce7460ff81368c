package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/config"
)

// The formats are those of keepalived.conf(5), reload_time_file.
func TestReloadAt(t *testing.T) {
	east := time.FixedZone("east", 3600)
	now := time.Date(2026, 11, 23, 12, 30, 0, 0, east)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for text, want := range map[string]time.Time{
		"12:30:01":                at("2026-11-23T12:30:01+01:00"),
		"12:30:00":                at("2026-11-24T12:30:00+01:00"),
		"00:00:00\nnot the first": at("2026-11-24T00:00:00+01:00"),
		"11:30:01Z":               at("2026-11-23T12:30:01+01:00"),
		"11:00:00Z":               at("2026-11-24T12:00:00+01:00"),
		"26-11-23 12:30:01":       at("2026-11-23T12:30:01+01:00"),
		"2027-01-02 03:04:05":     at("2027-01-02T03:04:05+01:00"),
		"2027-01-02 03:04:05Z":    at("2027-01-02T04:04:05+01:00"),
		"2026-11-23 12:29:59":     {},
		"2026-11-23 11:29:59Z":    {},
	} {
		if got, err := reloadAt(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, error %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " 12:30:01", "12:30:01 ", "12:30", "1:02:03", "2026-11-23  12:30:01", "2026-11-23T12:30:01", "25:00:00", "12:30:01ZZ"} {
		if got, err := reloadAt(text, now); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestReloadClockFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "when")
	now := time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)
	var c reloadClock
	step := func(what, news string, due time.Time) {
		t.Helper()
		gotDue, gotNews := c.look(path, now)
		if !gotDue.Equal(due) || !strings.Contains(gotNews, news) || (news == "") != (gotNews == "") {
			t.Errorf("%s: %v, %q; want %v, %q", what, gotDue, gotNews, due, news)
		}
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	step("no file", "", time.Time{})
	write("13:00:00Z\n")
	one := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	step("it comes", "a reload is due", one)
	step("it stays", "", one)
	write("14:00:00Z\n")
	step("it changes", "a reload is due", one.Add(time.Hour))
	write("tomorrow\n")
	step("it is nonsense", "is no time", time.Time{})
	step("it stays nonsense", "", time.Time{})
	write("2025-01-01 00:00:00\n")
	step("it is past", "past", time.Time{})
	write("15:00:00Z\n")
	step("it is good again", "a reload is due", one.Add(2*time.Hour))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	step("it goes", "is called off", time.Time{})
	step("it is gone", "", time.Time{})
}

// TestAdviceIsLoggedInDetailAlone starts with a file in which there is advice to
// give, and something that does nothing.
func TestAdviceIsLoggedInDetailAlone(t *testing.T) {
	_, found := config.Parse("f", []byte("global_defs {\nno_such_word\n}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 1\n"+
		"virtual_ipaddress {\n192.0.2.1\n}\nauthentication {\nauth_type PASS\nauth_pass abc\n}\n}\n"), config.Options{})
	for level, want := range map[hclog.Level]int{hclog.Info: 1, hclog.Debug: 2} {
		var log strings.Builder
		a := New(Options{Log: hclog.New(&hclog.LoggerOptions{Output: &log, Level: level})})
		a.log(found)
		if got := strings.Count(log.String(), "\n"); got != want || !strings.Contains(log.String(), "no_such_word") {
			t.Errorf("at %s %d lines, want %d:\n%s", level, got, want, log.String())
		}
	}
}

func TestMarkReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reading")
	a := New(Options{Log: hclog.NewNullLogger(), ReloadFile: path})
	for name, mark := range map[string]string{"given": path, "the default": "-"} {
		cfg := &config.Config{Global: config.Global{Reload: config.Reload{MarkFile: mark}}}
		if err := os.WriteFile(path, []byte("by whoever changes the configuration"), 0o600); err != nil {
			t.Fatal(err)
		}
		done := a.markReading(cfg)
		if b, err := os.ReadFile(path); err != nil || len(b) != 0 {
			t.Errorf("%s: %q, error %v while it is read", name, b, err)
		}
		done()
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v after it was read", name, err)
		}
	}
	a.markReading(&config.Config{})()
}

func TestRefusal(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	a := New(Options{Log: hclog.NewNullLogger()})
	plain := &config.Config{}
	strict := &config.Config{Global: config.Global{Reload: config.Reload{Check: true, CheckLog: log}}}
	named := &config.Config{Process: config.Process{Instance: "x"}}
	of := func(s config.Severity) []config.Diagnostic {
		return []config.Diagnostic{{Severity: s, Message: "what is wrong", Pos: config.Pos{File: "f", Line: 3, Column: 1}}}
	}
	for name, tc := range map[string]struct {
		old, next *config.Config
		found     []config.Diagnostic
		want      string
	}{
		"nothing is wrong":              {plain, plain, nil, ""},
		"a warning":                     {plain, plain, of(config.Warning), ""},
		"a fault":                       {plain, plain, of(config.Fatal), "New config failed validation: f:3:1: what is wrong"},
		"what cannot change":            {plain, named, nil, "Cannot change instance at a reload"},
		"a warning, and it is tested":   {strict, plain, of(config.Warning), "New config failed validation, see " + log + " for details"},
		"a notice, and it is tested":    {strict, strict, of(config.Notice), ""},
		"tested, and cannot be changed": {strict, named, nil, "Cannot change instance"},
	} {
		if got := a.refusal(tc.old, tc.next, tc.found); !strings.HasPrefix(got, tc.want) || (tc.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if b, err := os.ReadFile(log); err != nil || !strings.Contains(string(b), "what is wrong") {
		t.Errorf("the log has %q, error %v", b, err)
	}
}
