package health

import (
	"fmt"
	"strings"
)

// Text is the log line of an output of the service with the given name, in
// keepalived's words where keepalived has a line for it, or empty where the
// output is not for the log.
func Text(service string, o Output) string {
	switch o := o.(type) {
	case CheckActivated:
		return fmt.Sprintf("Activating healthchecker for service %s for VS %s", o.Name, service)
	case CheckSuspended:
		return fmt.Sprintf("Suspending healthchecker for service %s for VS %s", o.Name, service)
	case CheckDeactivated:
		return fmt.Sprintf("Deactivating healthchecker for service %s for VS %s", o.Name, service)
	case CheckFailed:
		return failedText(service, o)
	case CheckSucceeded:
		return succeededText(service, o)
	case CheckSkipped:
		return fmt.Sprintf("%s on service %s: %s. Rescheduling.", o.Kind, o.Name, o.Err)
	case ServerRemoved:
		return fmt.Sprintf("service %s no longer exist", o.Name)
	case ServerStopped:
		return fmt.Sprintf("Shutting down service %s from VS %s", o.Name, service)
	case ServerUp:
		if o.Inhibit {
			return fmt.Sprintf("Enabling service %s of VS %s", o.Name, service)
		}
		return fmt.Sprintf("Adding service %s to VS %s", o.Name, service)
	case ServerDown:
		if o.Inhibit {
			return fmt.Sprintf("Disabling service %s of VS %s", o.Name, service)
		}
		return fmt.Sprintf("Removing service %s from VS %s", o.Name, service)
	case WeightChanged:
		active := "inactive"
		if o.Active {
			active = "active"
		}
		return fmt.Sprintf("Changing weight from %d to %d for %s service %s of VS %s", o.From, o.To, active, o.Name, service)
	}
	return quorumText(service, o)
}

func quorumText(service string, o Output) string {
	switch o := o.(type) {
	case QuorumGained:
		return fmt.Sprintf("Gained quorum %d+%d=%d <= %d for VS %s",
			o.Quorum, o.Hysteresis, o.Quorum+o.Hysteresis, o.Weight, service)
	case QuorumLost:
		what := "Lost quorum"
		if o.Initial {
			what = "Starting with quorum down"
		}
		return fmt.Sprintf("%s %d-%d=%d > %d for VS %s",
			what, o.Quorum, o.Hysteresis, o.Quorum-o.Hysteresis, o.Weight, service)
	case SorryAdded:
		return fmt.Sprintf("%s sorry server %s to VS %s", either(o.Inhibit, "Enabling", "Adding"), o.Name, service)
	case SorryRemoved:
		return fmt.Sprintf("%s sorry server %s from VS %s", either(o.Inhibit, "Disabling", "Removing"), o.Name, service)
	case AliveAdded:
		return "Adding alive servers to the pool for VS " + service
	case AliveRemoved:
		return "Removing alive servers from the pool for VS " + service
	case ServiceRemoved:
		return "Removing Virtual Server " + service
	}
	return ""
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// failedText tells of the failure that decides; keepalived tells of the ones
// before it only with log_all_failures, and never of those after it.
func failedText(service string, o CheckFailed) string {
	news := o.Decisive || o.First
	switch o.Kind {
	case "SMTP_CHECK", "DNS_CHECK", "PING_CHECK", "FILE_CHECK", "BFD_CHECK":
		return talkText(service, o)
	case "MISC_CHECK":
		if !news && !(o.LogAll && o.Retrying) {
			return ""
		}
		return miscText(service, o)
	case "HTTP_GET", "SSL_GET":
		if o.Decisive {
			return fmt.Sprintf("%s_CHECK on service %s failed after %d retries.",
				strings.TrimSuffix(o.Kind, "_GET"), o.Name, o.Retries)
		}
		if o.LogAll && o.Retrying {
			return fmt.Sprintf("%s of service %s failed: %s.", o.Kind, o.Name, o.Err)
		}
		return ""
	}
	switch {
	case news && (o.First || o.Retries == 0):
		return fmt.Sprintf("%s on service %s failed.", o.Kind, o.Name)
	case news:
		return fmt.Sprintf("%s on service %s failed after %d retries.", o.Kind, o.Name, o.Retries)
	case !o.LogAll || !o.Retrying:
	case o.Kind == "TCP_CHECK" && strings.Contains(o.Err, timedOut):
		return fmt.Sprintf("TCP connection to %s timeout.", o.Name)
	case o.Kind == "TCP_CHECK":
		return fmt.Sprintf("TCP connection to %s failed.", o.Name)
	case o.Kind == "UDP_CHECK" && strings.Contains(o.Err, mismatch):
		return fmt.Sprintf("UDP check to %s reply data mismatch.", o.Name)
	case o.Kind == "UDP_CHECK":
		return fmt.Sprintf("UDP connection to %s failed.", o.Name)
	default:
		return fmt.Sprintf("%s on service %s failed: %s.", o.Kind, o.Name, o.Err)
	}
	return ""
}

// talkText is the line of a failed check that tells what it heard rather than
// that it failed.
func talkText(service string, o CheckFailed) string {
	news := o.Decisive || o.First
	after := ""
	if news && !o.First && o.Retries > 0 {
		after = fmt.Sprintf(" after %d retries", o.Retries)
	}
	switch {
	case o.Kind == "FILE_CHECK" && news:
		return fmt.Sprintf("(%s): tracked file %s now FAULT state", o.Name, o.Target)
	case o.Kind == "BFD_CHECK" && news:
		return fmt.Sprintf("BFD check of [%s] RS(%s) is DOWN", o.Target, o.Name)
	case o.Kind == "FILE_CHECK" || o.Kind == "BFD_CHECK":
		return ""
	case !news && !(o.LogAll && o.Retrying):
		return ""
	case o.Kind == "DNS_CHECK":
		return "DNS_CHECK (" + o.Target + ") " + dnsFault(o.Err) + after
	case o.Kind == "PING_CHECK" && !news && strings.Contains(o.Err, timedOut):
		return fmt.Sprintf("ICMP connection to address %s timeout.", o.Name)
	case o.Kind == "PING_CHECK" && !news:
		return fmt.Sprintf("ICMP connection to %s failed.", o.Name)
	case o.Kind == "PING_CHECK" && after != "":
		return fmt.Sprintf("ICMP CHECK on service %s of %s failed%s.", o.Name, service, after)
	case o.Kind == "PING_CHECK":
		return fmt.Sprintf("ICMP CHECK on service %s failed.", o.Name)
	}
	return "SMTP_CHECK " + smtpFault(o.Err) + " server " + strings.Replace(o.Target, ":tcp:", ":", 1)
}

// dnsFault and smtpFault say in keepalived's words what an error says.
func dnsFault(err string) string {
	if code, ok := strings.CutPrefix(err, rcode); ok {
		code, _, _ = strings.Cut(code, " ")
		return "read error occurred. (rcode = " + code + ")"
	}
	if strings.Contains(err, timedOut) {
		return "read timeout from socket"
	}
	return "failed: " + err
}

func smtpFault(err string) string {
	switch {
	case strings.HasPrefix(err, "greeting is"):
		return "Bad greeting banner from"
	case strings.HasPrefix(err, "answer to HELO is"):
		return "Bad HELO response from"
	case strings.HasPrefix(err, "connect ") && strings.Contains(err, timedOut):
		return "Connection timeout to"
	case strings.HasPrefix(err, "connect "):
		return "Could not connect to"
	case strings.Contains(err, timedOut):
		return "Read timeout from"
	}
	return "Read failure from"
}

// miscText is the line of a failed script: what it tells of the retries, then
// how the script ended.
func miscText(service string, o CheckFailed) string {
	retries := " after " + plural(o.Retries, "retry", "retries")
	switch {
	case o.Retries == 0:
		retries = " with retry disabled"
	case o.Retrying && o.Failures == 1:
		retries = ", will do " + plural(o.Retries, "retry", "retries")
	case o.Retrying:
		retries = fmt.Sprintf(" on retry %d/%d", o.Failures-1, o.Retries)
	}
	line := fmt.Sprintf("Misc check for [%s VS %s] by [%s] ", o.Name, service, o.Target)
	if strings.Contains(o.Err, timedOut) {
		return line + timedOut + retries + "."
	}
	return line + "failed" + retries + " (" + strings.Replace(o.Err, killedBy, "due to signal ", 1) + ")."
}

func plural(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, either(n == 1, one, many))
}

func succeededText(service string, o CheckSucceeded) string {
	if !o.Decisive {
		return ""
	}
	switch o.Kind {
	case "MISC_CHECK":
		return fmt.Sprintf("Misc check for [%s VS %s] by [%s] succeeded.", o.Name, service, o.Target)
	case "HTTP_GET", "SSL_GET":
		return fmt.Sprintf("Remote Web server %s succeed on service.", o.Name)
	case "TCP_CHECK":
		return fmt.Sprintf("TCP connection to %s success.", o.Name)
	case "UDP_CHECK":
		return fmt.Sprintf("UDP connection to %s success.", o.Name)
	case "PING_CHECK":
		return fmt.Sprintf("ICMP connection to %s success.", o.Name)
	case "SMTP_CHECK":
		return fmt.Sprintf("Remote SMTP server %s succeed on service.", o.Name)
	case "DNS_CHECK":
		return ""
	case "FILE_CHECK":
		if o.First {
			return ""
		}
		return fmt.Sprintf("(%s): tracked file %s leaving FAULT state", o.Name, o.Target)
	case "BFD_CHECK":
		return fmt.Sprintf("BFD check of [%s] RS(%s) is UP", o.Target, o.Name)
	}
	return fmt.Sprintf("%s on service %s succeeded.", o.Kind, o.Name)
}

// Words of errors that the log lines are made from.
const (
	timedOut = "timed out"
	killedBy = "killed by signal "
	rcode    = "rcode "
	mismatch = "reply data mismatch"
)
