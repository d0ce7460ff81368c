package lab

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
)

// Letter is one message that a Relay took.
type Letter struct {
	From string
	To   []string
	// Headers and Body are as they came, lines ended by a line feed.
	Headers, Body string
}

// Header is the value of a header, empty where there is none.
func (l Letter) Header(name string) string {
	for line := range strings.Lines(l.Headers) {
		if rest, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// Relay is a mail relay on a host that takes everything, until the lab is closed.
type Relay struct {
	mu      sync.Mutex
	letters []Letter
}

// Relay starts a mail relay on the host.
func (h *Host) Relay(addr netip.AddrPort) (*Relay, error) {
	var l net.Listener
	err := h.In(func() (err error) {
		l, err = net.Listen("tcp", addr.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	h.owns(l)
	r := &Relay{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r, nil
}

// Letters are what was taken so far, in order.
func (r *Relay) Letters() []Letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Letter(nil), r.letters...)
}

// serve speaks SMTP (RFC 5321) with one client.
func (r *Relay) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewScanner(c)
	var l Letter
	answer := "220 lab"
	for {
		if _, err := fmt.Fprintf(c, "%s\r\n", answer); err != nil || answer[:3] == "221" || !in.Scan() {
			return
		}
		line := in.Text()
		answer = "250 yes"
		switch verb := strings.ToUpper(line); {
		case strings.HasPrefix(verb, "MAIL FROM:"):
			l = Letter{From: strings.Trim(line[len("MAIL FROM:"):], "<>")}
		case strings.HasPrefix(verb, "RCPT TO:"):
			l.To = append(l.To, strings.Trim(line[len("RCPT TO:"):], "<>"))
		case verb == "DATA":
			if _, err := fmt.Fprint(c, "354 go on\r\n"); err != nil || !l.read(in) {
				return
			}
			r.mu.Lock()
			r.letters = append(r.letters, l)
			r.mu.Unlock()
		case verb == "QUIT":
			answer = "221 bye"
		}
	}
}

// read reads what follows DATA.
func (l *Letter) read(in *bufio.Scanner) bool {
	part := &l.Headers
	for in.Scan() {
		switch line := in.Text(); {
		case line == ".":
			return true
		case line == "" && part == &l.Headers:
			part = &l.Body
		default:
			*part += strings.TrimPrefix(line, ".") + "\n"
		}
	}
	return false
}

// Silent is a server on the host that takes connections and never says a word,
// until the lab is closed. What it returns counts them.
func (h *Host) Silent(addr netip.AddrPort) (calls func() int, err error) {
	var l net.Listener
	if err := h.In(func() (err error) {
		l, err = net.Listen("tcp", addr.String())
		return err
	}); err != nil {
		return nil, err
	}
	h.owns(l)
	var n atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			h.owns(c)
		}
	}()
	return func() int { return int(n.Load()) }, nil
}
