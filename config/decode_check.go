package config

import (
	"strconv"
	"strings"
	"time"
)

// checkDraft is a check being read.
type checkDraft struct {
	*Check
	node *node
	timing
	retry         *int
	alpha, logAll *bool
	virtualhost   string
	sniName       string
	misc          *MiscCheck
	// script is the statement misc_path.
	script *node
	// weightSet is true where FILE_CHECK has a weight of its own.
	weightSet bool
	// hosts are the host blocks of SMTP_CHECK, each a check of its own.
	hosts []*checkDraft
	// compliant are the tls_compliant of its urls.
	compliant []*bool
	// userFault is true where nobody is there to run the script.
	userFault bool
}

func checkBlock(d *decoder, n *node) {
	kind := n.name()
	c := &checkDraft{node: n, Check: &Check{Pos: n.Words[0].pos(), Kind: kind}}
	switch kind {
	case "HTTP_GET", "SSL_GET":
		c.HTTP = &HTTPCheck{Protocol: "1.0"}
	case "MISC_CHECK":
		c.misc = &MiscCheck{}
		c.Misc = c.misc
	case "SMTP_CHECK":
		c.SMTP = &SMTPCheck{HELO: "smtpchecker.keepalived.org"}
	case "DNS_CHECK":
		c.DNS = &DNSCheck{Type: "SOA", Name: "."}
	case "UDP_CHECK":
		c.UDP = &UDPCheck{MaxReply: 255}
	case "FILE_CHECK":
		c.File = &FileCheck{}
	case "BFD_CHECK":
		c.BFD = &BFDCheck{}
	case "GRPC_CHECK":
		c.GRPC = &GRPCCheck{}
	case "TCP_EXPECT":
		c.Expect = &ExpectCheck{}
	}
	d.check = c
	d.body(n, serverB+"/"+kind)
	d.check = nil
	if !d.usableCheck(c, n) {
		return
	}
	if d.table[serverB][kind].Honoured {
		d.rs.checks = append(d.rs.checks, c)
		d.rs.checks = append(d.rs.checks, c.withHosts()...)
	} else {
		d.rs.dormant = append(d.rs.dormant, c)
	}
}

// usableCheck judges a check once all of it has been read; false where it does
// not count.
func (d *decoder) usableCheck(c *checkDraft, n *node) bool {
	at := of(n.Words[0])
	switch {
	case c.HTTP != nil && len(c.HTTP.URLs) == 0:
		d.fail("check-no-url", at, "Add a block url { path / }.", "%s has no url; it does not count, and the server is not checked by it", c.Kind)
		return false
	case c.misc != nil && c.script == nil:
		d.fail("check-no-script", at, "Add a line misc_path \"COMMAND\".", "MISC_CHECK has no misc_path; it does not count")
		return false
	case c.File != nil && c.File.TrackFile == "":
		d.fail("check-no-file", at, "Add a line track_file NAME.", "FILE_CHECK has no track_file; it does not count")
		return false
	case c.BFD != nil && c.BFD.Session == "":
		d.fail("check-no-session", at, "Add a line name BFD-INSTANCE.", "BFD_CHECK has no name; it does not count")
		return false
	case c.UDP != nil && c.UDP.MinReply > c.UDP.MaxReply:
		d.fail("reply-length", at, "", "min_reply_length %d is above max_reply_length %d: the check always fails", c.UDP.MinReply, c.UDP.MaxReply)
	case c.misc != nil:
		at := of(c.script.Words[1])
		if c.userFault || d.runnable(&c.misc.Command, at, "the script of MISC_CHECK") {
			return !c.userFault
		}
		c.misc.Missing = isMissing(d.canRun(&c.misc.Command, at))
		return c.misc.Missing
	}
	return true
}

// miscUser takes who runs a script; one that this host does not have makes it
// unusable.
func miscUser(d *decoder, n *node) {
	u := userOf(n.Words[1:])
	if err := d.noUser(u); err != nil {
		d.fail("script-user", words(n, 0), "", "the script of MISC_CHECK cannot be run: %v", err)
		d.check.userFault = true
		return
	}
	d.check.misc.Command.User = u
}

func miscPath(d *decoder, n *node) {
	c, ok := d.command(n)
	if !ok {
		return
	}
	c.User = d.check.misc.Command.User
	d.check.misc.Command, d.check.script = c, n
}

func miscTimeout(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 0, maxTimerSeconds); ok {
		d.check.misc.Timeout = time.Duration(v) * time.Second
	}
}

func connectIP(d *decoder, n *node) {
	w := n.Words[1]
	a, ok := d.bareAddr(w)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address for connect_ip", w.Value)
		return
	}
	d.check.Connect.Addr = a
}

func bindTo(d *decoder, n *node) {
	w := n.Words[1]
	a, ok := d.bareAddr(w)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address for bindto", w.Value)
		return
	}
	d.check.Connect.BindAddr = a
}

func bindInterface(d *decoder, n *node) {
	w := n.Words[1]
	if len(w.Value) > maxInterfaceName {
		d.fail("invalid-value", of(w), "", "the name of the interface %s has more than %d bytes", w.Value, maxInterfaceName)
		return
	}
	d.check.Connect.BindInterface = w.Value
}

func portTo(place func(*Connect) *uint16) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if v, ok := d.number(n.Words[1], 1, 65535); ok {
			*place(&d.check.Connect) = uint16(v)
		}
	}
}

func connectMark(d *decoder, n *node) {
	w := n.Words[1]
	if v, ok := d.number(w, 0, maxUint); ok {
		d.check.Connect.FWMark = uint32(v)
	}
}

func httpProtocol(d *decoder, n *node) {
	switch v := n.Words[1].Value; v {
	case "1.0", "1.1":
		d.check.HTTP.Protocol = v
	case "1.0C", "1.0c":
		d.check.HTTP.Protocol = "1.0C"
	default:
		d.fail("invalid-value", of(n.Words[1]), "Write 1.0, 1.0C or 1.1.", "unknown http_protocol '%s'", v)
	}
}

func sniName(d *decoder, n *node) {
	d.check.HTTP.EnableSNI = true
	if len(n.Words) > 1 {
		d.check.sniName = n.Words[1].Value
	}
}

func urlBlock(d *decoder, n *node) {
	d.url, d.urlCompliant = &URL{Pos: n.Words[0].pos()}, nil
	d.body(n, serverB+"/"+d.check.Kind+"/url")
	u := d.url
	d.url = nil
	if u.Path == "" {
		d.fail("url-no-path", of(n.Words[0]), "Add a line path /.", "a url has no path; it does not count")
		return
	}
	d.completeURL(u, n)
	if len(u.Status) == 0 {
		u.Status = []StatusRange{{200, 299}}
	}
	d.check.HTTP.URLs = append(d.check.HTTP.URLs, *u)
	d.check.compliant = append(d.check.compliant, d.urlCompliant)
}

func urlPath(d *decoder, n *node) {
	d.url.Path = n.Words[1].Value
	if d.url.Path == "" {
		d.notice("url-no-path", of(n.Words[1]), "Write path /.", "the path is empty; / is used")
		d.url.Path = "/"
	}
}

func urlDigest(d *decoder, n *node) {
	w := n.Words[1]
	v := strings.ToLower(w.Value)
	if len(v) != 32 || strings.Trim(v, "0123456789abcdef") != "" {
		d.fail("invalid-value", of(w), "Calculate it with tandem genhash.", "the digest '%s' is not of 32 hex digits", w.Value)
		return
	}
	d.url.Digest = v
}

func urlStatus(d *decoder, n *node) {
	for _, w := range n.Words[1:] {
		low, high, ranged := strings.Cut(w.Value, "-")
		first, err1 := strconv.Atoi(low)
		last, err2 := first, error(nil)
		if ranged {
			last, err2 = strconv.Atoi(high)
		}
		if err1 != nil || err2 != nil || first < 100 || last > 599 || first > last {
			d.fail("invalid-value", of(w), "Write N or N-M, from 100 to 599.", "'%s' is no status code", w.Value)
			continue
		}
		d.url.Status = append(d.url.Status, StatusRange{first, last})
	}
}
