package logging

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tandem-ha/tandem/internal/journal"
)

// daemon is a syslog daemon.
type daemon struct {
	t    *testing.T
	conn *net.UnixConn
}

func startDaemon(t *testing.T, path string) *daemon {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return &daemon{t: t, conn: conn}
}

func (d *daemon) read() string {
	d.t.Helper()
	if err := d.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		d.t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	n, err := d.conn.Read(b)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b[:n])
}

// stop stops the daemon as its end does, which leaves no socket behind.
func (d *daemon) stop(path string) {
	d.t.Helper()
	d.conn.Close()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := startDaemon(t, path)
	defer d.stop(path)
	log, out := openPatient(Options{Syslog: true, SyslogPath: path, Facility: Daemon, Detail: 1})
	defer out.Close()
	sink := NewSink(log)
	for _, tc := range []struct {
		send func()
		want string
	}{
		{func() { log.Info("Starting") }, "<30>DATE Keepalived[PID]: Starting"},
		{func() { log.Named("agent").Error("bad") }, "<27>DATE Keepalived[PID]: bad"},
		{func() { log.Named("vrrp").Warn("bad", "n", 1) }, "<28>DATE Keepalived_vrrp[PID]: bad n=1"},
		{func() { log.Named("checks").Named("tcp").Debug("detail") }, "<30>DATE Keepalived_healthcheckers[PID]: detail"},
		{func() {
			sink(journal.Event{Area: journal.VRRP, Time: time.Now(), Level: journal.Notice, Text: "(V) up"})
		}, "<30>DATE Keepalived_vrrp[PID]: (V) up"},
		{func() {
			sink(journal.Event{Area: journal.Checks, Time: time.Now(), Level: journal.Error, Text: "gone"})
		}, "<27>DATE Keepalived_healthcheckers[PID]: gone"},
		{func() { sink(journal.Event{Time: time.Now(), Level: journal.Info, Text: "Reloading ..."}) }, "<30>DATE Keepalived[PID]: Reloading ..."},
	} {
		tc.send()
		got := d.read()
		m := regexp.MustCompile(`^<\d+>(.{15}) [^\[]*\[(\d+)\]: `).FindStringSubmatch(got)
		if m == nil {
			t.Errorf("%q is no message", got)
			continue
		}
		if _, err := time.Parse(time.Stamp, m[1]); err != nil || m[2] != fmt.Sprint(os.Getpid()) {
			t.Errorf("%q: %v", got, err)
		}
		if got = strings.Replace(strings.Replace(got, m[1], "DATE", 1), "["+m[2]+"]", "[PID]", 1); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestSyslogDaemonStartsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, out := openPatient(Options{Syslog: true, SyslogPath: path, Facility: Local0 + 3})

	// It is not there yet when the first message comes.
	log.Info("first")
	d := startDaemon(t, path)
	if got := d.read(); !strings.HasPrefix(got, "<158>") || !strings.HasSuffix(got, "first") {
		t.Errorf("%q", got)
	}
	// It starts again between two messages: the next is not lost, nor late.
	d.stop(path)
	d = startDaemon(t, path)
	defer func() { d.stop(path) }()
	log.Info("second")
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	if got := d.read(); !strings.HasSuffix(got, "second") {
		t.Errorf("%q", got)
	}
}

func TestSyslogWithoutDaemonEndsAtOnce(t *testing.T) {
	log, out := openPatient(Options{Syslog: true, SyslogPath: filepath.Join(t.TempDir(), "log")})
	for range 3 * queueSize {
		log.Info("message")
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func TestSyslogCutsLongMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := startDaemon(t, path)
	defer d.stop(path)
	log, out := openPatient(Options{Syslog: true, SyslogPath: path})
	defer out.Close()
	log.Info(strings.Repeat("x", 1<<20))
	if n := len(d.read()); n != maxMessage {
		t.Errorf("%d bytes", n)
	}
}

func TestParseFacility(t *testing.T) {
	for s, want := range map[string]Facility{"0": 16, "7": 23, "local0": 16, "local5": 21, "user": 1, "daemon": 3} {
		if got, err := ParseFacility(s); err != nil || got != want {
			t.Errorf("%s: %d, error %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "8", "-1", "local", "local8", "mail", "77", "local-1"} {
		if f, err := ParseFacility(s); err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%q: %d, error %v", s, f, err)
		}
	}
}

func TestSeverityOf(t *testing.T) {
	for level, want := range map[hclog.Level]severity{hclog.Trace: 6, hclog.Debug: 6, hclog.Info: 6, hclog.Warn: 4, hclog.Error: 3} {
		if got := severityOf(level); got != want {
			t.Errorf("%v: %d, want %d", level, got, want)
		}
	}
}
