package logging

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Facility is a syslog facility's number (RFC 3164 4.1.1).
type Facility uint8

// The facilities that keepalived's -S can name; Local0 to Local7 follow one
// another.
const (
	User   Facility = 1
	Daemon Facility = 3
	Local0 Facility = 16
)

// ParseFacility reads the argument of -S: 0 to 7 and local0 to local7, user or
// daemon.
func ParseFacility(s string) (Facility, error) {
	switch s {
	case "user":
		return User, nil
	case "daemon":
		return Daemon, nil
	}
	if n := strings.TrimPrefix(s, "local"); len(n) == 1 && n >= "0" && n <= "7" {
		return Local0 + Facility(n[0]-'0'), nil
	}
	return 0, fmt.Errorf("log facility %q is not 0 to 7, local0 to local7, user or daemon", s)
}

// severity is a syslog severity (RFC 3164 4.1.1).
type severity uint8

const (
	failure severity = 3
	warning severity = 4
	info    severity = 6
)

// severityOf gives debug messages the severity info, which keepalived gives to
// all: they appear because somebody asked for them, and many syslog
// configurations store nothing below info.
func severityOf(l hclog.Level) severity {
	switch l {
	case hclog.Error:
		return failure
	case hclog.Warn:
		return warning
	}
	return info
}

// The limits of sending to syslog. A datagram larger than maxMessage is more
// than many daemons take.
const (
	maxMessage = 8 << 10
	sendLimit  = time.Second
	retryAfter = time.Second
)

// syslog sends RFC 3164 datagrams, as the C library's syslog does.
type syslog struct {
	path     string
	facility Facility
	pid      int
	conn     *net.UnixConn
}

func newSyslog(path string, f Facility) *syslog {
	return &syslog{path: path, facility: f, pid: os.Getpid()}
}

// write sends m, however long the daemon takes to be there, until stop.
func (s *syslog) write(m message, stop <-chan struct{}) {
	b := fmt.Appendf(nil, "<%d>%s %s[%d]: %s", int(s.facility)<<3|int(m.severity), m.at.Format(time.Stamp), ident(m.name), s.pid, m.text)
	b = b[:min(len(b), maxMessage)]
	for attempt := 1; !s.send(b); attempt++ {
		// A daemon that started again is reached at the second attempt.
		if attempt == 1 {
			continue
		}
		select {
		case <-stop:
			return
		case <-time.After(retryAfter):
		}
	}
}

// send makes one attempt and says whether b needs no other.
func (s *syslog) send(b []byte) bool {
	if s.conn == nil {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
		if err != nil {
			return false
		}
		s.conn = conn
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(sendLimit))
	if err == nil {
		_, err = s.conn.Write(b)
	}
	if err == nil || errors.Is(err, syscall.EMSGSIZE) {
		return true
	}
	s.close()
	return false
}

func (s *syslog) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// ident is the name that a logger's messages go under.
func ident(name string) string {
	area, _, _ := strings.Cut(name, ".")
	switch area {
	case NameVRRP:
		return "Keepalived_vrrp"
	case NameChecks:
		return "Keepalived_healthcheckers"
	}
	return "Keepalived"
}
