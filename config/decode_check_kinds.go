package config

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// dnsTypes are the types that a DNS_CHECK can ask for.
var dnsTypes = []string{"A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"}

func dnsType(d *decoder, n *node) {
	w := n.Words[1]
	v := strings.ToUpper(w.Value)
	if !slices.Contains(dnsTypes, v) {
		d.fail("invalid-value", of(w), "Write one of "+strings.Join(dnsTypes, ", ")+".", "unknown type '%s' of DNS_CHECK", w.Value)
		return
	}
	d.check.DNS.Type = v
}

func dnsName(d *decoder, n *node) {
	w := n.Words[1]
	const longestLabel, longestName = 63, 253
	bare := strings.TrimSuffix(w.Value, ".")
	if bare != "" {
		for label := range strings.SplitSeq(bare, ".") {
			if label == "" {
				d.fail("invalid-value", of(w), "", "the name '%s' has an empty label; it does not count", w.Value)
				return
			}
			if len(label) > longestLabel {
				d.notice("invalid-value", of(w), "No name server knows such a name.", "a label of '%s' is longer than %d bytes", w.Value, longestLabel)
			}
		}
	}
	if len(bare) > longestName {
		d.notice("invalid-value", of(w), "No name server knows such a name.", "the name is longer than %d bytes", longestName)
	}
	d.check.DNS.Name = orElse(w.Value, ".")
}

// hexBytes reads words of hex digits, of which one may stand alone at the end of
// a word, as keepalived.conf(5) has it: "12f 3" is 12 0f 03.
func hexBytes(words []token) (value []byte, ok bool) {
	value, mask, ok := hexPattern(words)
	return value, ok && !slices.ContainsFunc(mask, func(m byte) bool { return m != 0xff })
}

// hexPattern reads what hexBytes does, in which a digit may be X; mask tells which
// bits count.
func hexPattern(words []token) (value, mask []byte, ok bool) {
	for _, w := range words {
		for part := range strings.FieldsSeq(w.Value) {
			if last := len(part) - 1; len(part)%2 == 1 {
				part = part[:last] + "0" + part[last:]
			}
			zero, full := []byte(part), []byte(part)
			for i, c := range zero {
				full[i] = 'f'
				if c == 'x' || c == 'X' {
					zero[i], full[i] = '0', '0'
				}
			}
			b, err := hex.DecodeString(string(zero))
			if err != nil {
				return nil, nil, false
			}
			m, _ := hex.DecodeString(string(full))
			value, mask = append(value, b...), append(mask, m...)
		}
	}
	return value, mask, true
}

func udpPayload(d *decoder, n *node) {
	value, ok := hexBytes(n.Words[1:])
	if !ok {
		d.fail("invalid-value", words(n, 1), "Write pairs of hex digits, like 0a1b.", "the payload cannot be read")
		return
	}
	d.check.UDP.Payload = value
}

func udpReply(d *decoder, n *node) {
	u := d.check.UDP
	u.RequireReply = true
	if len(n.Words) < 2 {
		return
	}
	value, mask, ok := hexPattern(n.Words[1:])
	if !ok {
		d.fail("invalid-value", words(n, 1), "Write pairs of hex digits, with X for any digit.", "what require_reply asks for cannot be read")
		return
	}
	u.Reply, u.ReplyMask = value, mask
}

// fileCheckName takes the name of a track_file that stands above.
func fileCheckName(d *decoder, n *node) {
	w := n.Words[1]
	f := d.files[w.Value]
	if f == nil {
		d.fail("track-undefined", of(w), "Put the block track_file "+w.Value+" above.", "the track_file %s is not defined above", w.Value)
		return
	}
	d.check.File.TrackFile = w.Value
	if !d.check.weightSet {
		d.check.File.Weight, d.check.File.Reverse = f.Weight, f.Reverse
	}
}

// fileCheckWeight takes "N [reverse|noreverse]".
func fileCheckWeight(d *decoder, n *node) {
	v, ok := d.number(n.Words[1], -maxInt, maxInt)
	if !ok {
		return
	}
	f := d.check.File
	f.Weight, f.Reverse, d.check.weightSet = int(v), false, true
	if len(n.Words) < 3 {
		return
	}
	switch w := n.Words[2]; w.Value {
	case "reverse":
		f.Reverse = true
	case "noreverse":
	default:
		d.warn("unknown-option", of(w), "The weight may be followed by reverse or noreverse.", "unknown option %s of weight", w.Value)
	}
}

// bfdCheckName takes the name of a bfd_instance that stands above.
func bfdCheckName(d *decoder, n *node) {
	w := n.Words[1]
	b := d.bfds[w.Value]
	if b == nil || !b.Checker {
		d.fail("track-undefined", of(w), "Put the block bfd_instance "+w.Value+" above.", "no bfd_instance %s for checks is defined above", w.Value)
		return
	}
	d.check.BFD.Session = w.Value
}

// smtpHost takes the deprecated block host: one more SMTP_CHECK beside that
// which it stands in.
func smtpHost(d *decoder, n *node) {
	outer := d.check
	d.check = &checkDraft{node: n, Check: &Check{Pos: n.Words[0].pos(), Kind: "SMTP_CHECK"}}
	d.body(n, serverB+"/SMTP_CHECK/host")
	outer.hosts = append(outer.hosts, d.check)
	d.check = outer
}

// withHosts are the checks that the host blocks stand for. They greet and are
// timed as the check around them is, where they say nothing else.
func (c *checkDraft) withHosts() []*checkDraft {
	for _, h := range c.hosts {
		h.SMTP = &SMTPCheck{HELO: c.SMTP.HELO}
		h.timing = timing{
			beforeRetry: cmp.Or(h.beforeRetry, c.beforeRetry), warmup: cmp.Or(h.warmup, c.warmup),
			connect: cmp.Or(h.connect, c.connect), interval: cmp.Or(h.interval, c.interval),
		}
		h.retry, h.alpha, h.logAll = cmp.Or(h.retry, c.retry), cmp.Or(h.alpha, c.alpha), cmp.Or(h.logAll, c.logAll)
	}
	return c.hosts
}

// regexAt is the regular expression of the url block being read.
func (d *decoder) regexAt() *Regex {
	if d.url.Regex == nil {
		d.url.Regex = &Regex{MaxOffset: unset}
	}
	return d.url.Regex
}

func urlRegex(d *decoder, n *node) {
	if len(n.Words) < 2 {
		d.fail("missing-value", of(n.Words[0]), "Write regex \"PATTERN\".", "regex has no pattern")
		return
	}
	w := n.Words[1]
	d.regexAt().Pattern = w.Value
	if lone := loneEscape(w.Text); lone != "" {
		d.notice("regex-escape", of(w), "Write \\"+lone+" for "+lone+" in the pattern.", "%s means %s here: the line takes the backslash away before the pattern is read", lone, lone[1:])
	}
}

// loneEscape is the first backslash of a text that the quoting of its line takes
// away, with the letter behind it, unless a shell would want it there.
func loneEscape(text string) string {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if c := text[i+1]; strings.IndexByte("\\\"'# !xcabEfnrtv01234567", c) < 0 {
			return text[i : i+2]
		}
		i++
	}
	return ""
}

func urlRegexOptions(d *decoder, n *node) {
	r := d.regexAt()
	for _, w := range n.Words[1:] {
		if d.table[regexBlock][w.Value] == nil {
			d.notice("unknown-option", of(w), d.table.suggest(regexBlock, w.Value), "unknown option %s of regex_options; keepalived says nothing of it", w.Value)
			continue
		}
		r.Options = append(r.Options, w.Value)
	}
}

// urlRegexNumber takes a number of a regular expression; keepalived says nothing
// of one that it cannot read.
func urlRegexNumber(place func(*Regex) *int) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			d.notice("missing-value", of(n.Words[0]), "Write "+n.name()+" N.", "%s has no number", n.name())
			return
		}
		if v, ok := d.quietNumber(n.Words[1]); ok {
			*place(d.regexAt()) = v
		}
	}
}

// quietNumber reads a number from 0 on; a notice says where it cannot.
func (d *decoder) quietNumber(w token) (int, bool) {
	v, err := strconv.ParseUint(w.Value, 10, 31)
	if err != nil {
		d.notice("invalid-number", of(w), "Write a number from 0 to 2147483647.", "'%s' is no number; it does not count", w.Value)
	}
	return int(v), err == nil
}

// urlRegexStack takes "START MAX".
func urlRegexStack(d *decoder, n *node) {
	if len(n.Words) < 3 {
		d.notice("missing-value", of(n.Words[0]), "Write regex_stack START MAX.", "regex_stack has no two numbers")
		return
	}
	start, ok1 := d.quietNumber(n.Words[1])
	most, ok2 := d.quietNumber(n.Words[2])
	if !ok1 || !ok2 {
		return
	}
	if start > most || start == 0 {
		d.notice("out-of-range", words(n, 1), "", "the stack cannot begin with %d bytes and grow to %d; it does not count", start, most)
		return
	}
	r := d.regexAt()
	r.StackStart, r.StackMax = start, most
}

// completeURL judges a url block once all of it has been read.
func (d *decoder) completeURL(u *URL, n *node) {
	r := u.Regex
	if r == nil {
		return
	}
	if r.Pattern == "" {
		d.notice("regex-missing", of(n.Words[0]), "Add a line regex \"PATTERN\".", "the url says how to search the body and not what for")
		u.Regex = nil
		return
	}
	if r.MaxOffset != unset && r.MinOffset > r.MaxOffset {
		d.notice("regex-offset", of(n.Words[0]), "", "regex_min_offset %d is above regex_max_offset %d: nothing can match", r.MinOffset, r.MaxOffset)
	}
}

// tlsFile takes the name of a file of the block SSL; the first counts.
func tlsFile(place func(*TLS) *string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			d.fail("missing-value", of(n.Words[0]), "Write "+n.name()+" VALUE.", "%s names nothing", n.name())
			return
		}
		*place(d.cfg.TLS) = n.Words[1].Value
	}
}

func tlsBlock(d *decoder, n *node) {
	if d.cfg.TLS != nil {
		d.warn("duplicate", of(n.Words[0]), "Join the two blocks.", "there is a block SSL already; this one takes its place")
	}
	d.cfg.TLS = &TLS{Pos: n.Words[0].pos()}
	d.body(n, "SSL")
}
