package mail

import (
	"fmt"
	"strings"
	"time"
)

// Message is one message. Everything else that goes into it is of the Relay.
type Message struct {
	Subject, Body string
	// Time is when what it tells of happened.
	Time time.Time
}

// dateFormat is RFC 5322 3.3.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 -0700"

// text is the message as it is sent, with the headers that keepalived sends and
// in its order, since people's filters know them.
func (m Message) text(r Relay) string {
	var b strings.Builder
	for _, h := range [][2]string{
		{"Date", m.Time.Format(dateFormat)},
		{"From", r.From},
		{"Subject", m.Subject},
		{"X-Mailer", "Keepalived"},
		{"To", strings.Join(r.To, ", ")},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], oneLine(h[1]))
	}
	b.WriteString("\r\n")
	for line := range strings.Lines(m.Body) {
		b.WriteString(strings.TrimRight(line, "\r\n") + "\r\n")
	}
	// keepalived ends each body with an empty line.
	b.WriteString("\r\n")
	return b.String()
}

// oneLine keeps a value from beginning a header of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, s)
}
