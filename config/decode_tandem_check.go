package config

import (
	"slices"
	"strings"
)

// talk is the TLS of the check being read.
func (c *checkDraft) talk() *Talk {
	if c.GRPC != nil {
		return &c.GRPC.Talk
	}
	return &c.Expect.Talk
}

// certificate is what is asked of the certificate of the check being read.
func (c *checkDraft) certificate() *Certificate {
	if c.Certificate == nil {
		c.Certificate = &Certificate{}
	}
	return c.Certificate
}

// expectSend begins a step of TCP_EXPECT.
func expectSend(d *decoder, n *node) {
	e := d.check.Expect
	e.Steps = append(e.Steps, ExpectStep{Send: n.Words[1].Value})
}

// expectPattern ends a step of TCP_EXPECT, or is one that sends nothing.
func expectPattern(d *decoder, n *node) {
	e := d.check.Expect
	last := len(e.Steps) - 1
	if last < 0 || e.Steps[last].Expect != "" {
		e.Steps = append(e.Steps, ExpectStep{})
		last++
	}
	e.Steps[last].Expect = n.Words[1].Value
}

// request is that of the url being read.
func (d *decoder) request() *Request {
	if d.url.Request == nil {
		d.url.Request = &Request{}
	}
	return d.url.Request
}

// isToken is whether RFC 9110 section 5.6.2 takes a text for a method or the name of a field.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	})
}

func urlMethod(d *decoder, n *node) {
	w := n.Words[1]
	if !isToken(w.Value) {
		d.fail("invalid-value", of(w), "Write one like HEAD.", "'%s' is no method", w.Value)
		return
	}
	d.request().Method = w.Value
}

// urlHeader takes "NAME VALUE".
func urlHeader(d *decoder, n *node) {
	f, ok := d.field(n)
	switch {
	case !ok:
	case len(n.Words) < 3:
		d.fail("missing-value", of(n.Words[0]), "Write header NAME \"VALUE\".", "header %s has no value", f.Name)
	case strings.ContainsAny(f.Value, "\r\n\x00"):
		d.fail("invalid-value", of(n.Words[2]), "", "the value of header %s has more than one line", f.Name)
	default:
		d.request().Header = append(d.request().Header, f)
	}
}

func urlBody(d *decoder, n *node) { d.request().Body = n.Words[1].Value }

// urlExpectHeader takes "NAME [PATTERN]".
func urlExpectHeader(d *decoder, n *node) {
	if f, ok := d.field(n); ok {
		d.request().Expect = append(d.request().Expect, f)
	}
}

// field reads the name of a field, without the colon that people write, and
// what follows it.
func (d *decoder) field(n *node) (Field, bool) {
	f := Field{Name: strings.TrimSuffix(n.Words[1].Value, ":")}
	if !isToken(f.Name) {
		d.fail("invalid-value", of(n.Words[1]), "", "'%s' is no name of a field", n.Words[1].Value)
		return f, false
	}
	if len(n.Words) > 2 {
		f.Value = n.Words[2].Value
	}
	return f, true
}

// tandemChecks are the kinds of checks that keepalived has not.
var tandemChecks = []string{"GRPC_CHECK", "TCP_EXPECT"}

// completeTandemCheck judges what tandem's own keywords say in a check.
func (d *decoder) completeTandemCheck(c *checkDraft) {
	cert := c.Certificate
	if cert == nil {
		return
	}
	if slices.Contains(tandemChecks, c.Kind) && !c.talk().TLS {
		d.fail("tls-off", words(c.node, 0), "Add a line tls.", "%s asks for a certificate and does not speak TLS", c.Kind)
		c.Certificate = nil
		return
	}
	if !cert.Verify && (cert.Name != "" || cert.CA != "") {
		d.notice("tls-unverified", words(c.node, 0), "Add a line tls_verify.", "%s says how to verify a certificate, and does not verify it", c.Kind)
	}
}
