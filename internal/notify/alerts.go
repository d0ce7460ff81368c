package notify

import (
	"fmt"
	"strings"

	"github.com/tandem-ha/tandem/internal/journal"
)

// Alert is what an e-mail says, without the name of this node that its subject
// begins with.
type Alert struct {
	Subject, Body string
}

// StateAlert is the e-mail about an instance or a group that entered a state; nil
// for a state that none is sent about: keepalived sends none about its own end.
// Kind is journal.Instance or journal.Group.
func StateAlert(kind, name, state string) *Alert {
	switch state {
	case journal.Master, journal.Backup, journal.Fault:
	case journal.Deleted:
		return &Alert{Subject: fmt.Sprintf("VRRP Instance %s - Deleted", name), Body: "=> VRRP Deleted at reload <=\n"}
	default:
		return nil
	}
	if kind == journal.Group {
		return &Alert{
			Subject: fmt.Sprintf("VRRP Group %s - Entering %s state", name, state),
			Body:    fmt.Sprintf("=> All VRRP group instances are now in %s state <=\n", state),
		}
	}
	a := &Alert{Subject: fmt.Sprintf("VRRP Instance %s - Entering %s state", name, state)}
	if state == journal.Master {
		a.Body = "=> VRRP Instance is now owning VRRP VIPs <=\n"
	} else {
		a.Body = "=> VRRP Instance is no longer owning VRRP VIPs <=\n"
	}
	return a
}

// CheckAlert is the e-mail about a check that has changed its mind.
func CheckAlert(c journal.CheckChange) *Alert {
	return &Alert{Subject: serverSubject(c.Server, c.Service, c.Up), Body: "=> " + checkResult(c.Kind, c.Up, c.Cause) + " <=\n"}
}

// EndAlert is the e-mail about a real server that goes though no check says so: a
// reload removed it, or the program ends.
func EndAlert(server, service string, ended journal.End) *Alert {
	body := "=> Shutting down <=\n"
	if ended == journal.EndRemoved {
		body = "=> Removing <=\n"
	}
	return &Alert{Subject: serverSubject(server, service, false), Body: body}
}

// QuorumAlert is the e-mail about a virtual server that gained or lost its quorum.
func QuorumAlert(c journal.QuorumChange) *Alert {
	a := &Alert{Subject: fmt.Sprintf("Virtualserver %s - %s", c.Service, upDown(c.Up))}
	what := "Lost quorum"
	switch {
	case c.Initial:
		what = "Starting with quorum " + strings.ToLower(upDown(c.Up))
	case c.Up:
		what = "Gained quorum"
	}
	if c.Up {
		a.Body = fmt.Sprintf("=> %s %d+%d=%d <= %d <=\n", what, c.Quorum, c.Hysteresis, c.Quorum+c.Hysteresis, c.Weight)
	} else {
		a.Body = fmt.Sprintf("=> %s %d-%d=%d > %d <=\n", what, c.Quorum, c.Hysteresis, c.Quorum-c.Hysteresis, c.Weight)
	}
	return a
}

func serverSubject(server, service string, up bool) string {
	return fmt.Sprintf("Realserver %s of virtual server %s - %s", server, service, upDown(up))
}

// checkResult is what keepalived says of a check's result, which has grown by
// kind; where it names the failure, cause does.
func checkResult(kind string, up bool, cause string) string {
	switch {
	case kind == "DNS_CHECK" && up:
		return "DNS_CHECK: succeed on service"
	case kind == "DNS_CHECK":
		return "DNS_CHECK: failed on service"
	case kind == "MISC_CHECK" && up:
		return "MISC CHECK succeeded on service"
	case kind == "HTTP_GET" || kind == "SSL_GET" || kind == "SMTP_CHECK":
		if up {
			return "CHECK succeed on service"
		}
		return "CHECK failed on service : " + cause
	}
	name := strings.Replace(kind, "_", " ", 1)
	if kind == "PING_CHECK" {
		name = "ICMP CHECK"
	}
	if up {
		return name + " succeed on service"
	}
	return name + " failed on service"
}
