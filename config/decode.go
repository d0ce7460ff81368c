package config

import (
	"errors"
	"io/fs"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	maxInt     = math.MaxInt32
	minInt     = math.MinInt32
	maxSeconds = math.MaxInt32 / 1000
	// maxTimerSeconds and maxTimer are the longest times that keepalived counts
	// in 32 bits of microseconds.
	maxTimerSeconds = 4294
	maxTimer        = maxTimerSeconds * time.Second
	// maxMicros is the longest time that a Duration can hold, in microseconds.
	maxMicros = math.MaxInt64 / 1000
	// maxInterfaceName is the most bytes of an interface's name.
	maxInterfaceName = 15
	unset            = -1
)

// decoder makes a Config of a tree. What a block says is put into a draft; when
// all has been read the drafts are completed by what they inherit.
type decoder struct {
	*reporter
	table   table
	shell   map[string]bool
	options Options
	cfg     *Config
	global  globalDraft

	scripts   []*scriptDraft
	groups    []*groupDraft
	instances []*instanceDraft
	sets      map[string]*serverSet
	files     map[string]*fileDraft
	processes map[string]*processDraft
	bfds      map[string]*bfdDraft
	// scriptAnswers are what the host has said of scripts.
	scriptAnswers map[scriptQuestion]error
	trackGroups   []*trackGroupDraft
	// unordered counts the rules without a preference of their own, by whether
	// they are of IPv6.
	unordered  map[bool]uint32
	routeNames *routeNames
	services   []*serviceDraft
	// sketch is what a service that is read by itself is read into.
	sketch *sketch
	// servers are those of the service that is being completed.
	servers map[netip.AddrPort]bool
	// used is the first command that may be run, if any.
	used *span
	// dormant counts the statements around that are not honoured: what is in
	// them is not reported as such again.
	dormant int

	script    *scriptDraft
	file      *fileDraft
	process   *processDraft
	bfd       *bfdDraft
	hmac      *hmacDraft
	takeover  *Takeover
	peersFrom *PeersFrom
	garp      *GARPGroup
	openGroup *trackGroupDraft
	group     *groupDraft
	inst      *instanceDraft
	vs        *serviceDraft
	rs        *serverDraft
	check     *checkDraft
	url       *URL
	// urlCompliant is tls_compliant of the url being read.
	urlCompliant *bool
}

// root decodes the whole tree: the global settings first, whatever their place.
func (d *decoder) root(t *tree) {
	d.balance(t.Nodes)
	for _, n := range t.Nodes {
		if n.name() == "global_defs" && n.HasBlock {
			d.body(n, "global_defs")
		}
	}
	d.completeGlobal()
	d.foretell(t.Nodes)
	for _, n := range t.Nodes {
		d.statement(n, "")
	}
	d.completeVRRP()
	d.completeServices()
}

// balance reports blocks without an end.
func (d *decoder) balance(nodes []*node) {
	for _, n := range nodes {
		if n.HasBlock && len(n.Tail) == 0 && n.settled == nil && n.passage == nil {
			d.fail("missing-brace", of(n.brace()), "Close the block with '}'.", "this block is never closed")
		}
		d.balance(n.Body)
	}
}

// body decodes the statements of a block.
func (d *decoder) body(n *node, block string) {
	for _, c := range n.Body {
		d.statement(c, block)
	}
}

// statement decodes one statement that stands in block.
func (d *decoder) statement(n *node, block string) {
	k := d.known(n, block)
	if k == nil {
		return
	}
	if k.Instead != "" {
		report := d.warn
		if k.Silent {
			report = d.notice
		}
		report("deprecated", of(n.Words[0]), "Use "+k.Instead+".", "%s is deprecated", k.Name)
	}
	if k.Tandem {
		d.ownWord(n, k)
	}
	if k.Honoured {
		k.decode(d, n)
		return
	}
	if d.dormant == 0 {
		d.notice("not-honoured", of(n.Words[0]), k.Reason, "%s is known, not honoured yet", k.Name)
	}
	d.dormant++
	k.decode(d, n)
	d.dormant--
}

// known is the row of a statement that can be decoded; what cannot be is
// reported, and nil comes back.
func (d *decoder) known(n *node, block string) *Keyword {
	switch {
	case n.stray():
		d.fail("extra-brace", of(n.brace()), "", "Extra '}' found")
		return nil
	case len(n.Words) == 0 && n.HasBlock:
		d.fail("unexpected-brace", of(n.brace()), "The block is passed over.", "Unexpected '{'")
		return nil
	case len(n.Words) == 0:
		return nil
	}
	k := d.table[block][n.name()]
	if k == nil {
		help := d.table.suggest(block, n.name())
		if n.HasBlock {
			help = strings.TrimSpace(help + " Its block is passed over.")
		}
		d.warn("unknown-keyword", of(n.Words[0]), help, "Unknown keyword '%s'", n.name())
		return nil
	}
	opens := k.Form == FormBlock || k.Form == FormLines
	if opens && !n.HasBlock {
		help := "Write " + k.Name + " " + k.Args + "."
		if block != "" && k.Form == FormBlock {
			d.fail("missing-brace", of(n.Words[0]), help, "%s has no block: a '{' is missing", k.Name)
			return nil
		}
		d.notice("missing-brace", of(n.Words[0]), help, "%s has no block: a '{' is missing", k.Name)
	}
	if !opens && n.HasBlock {
		d.fail("unexpected-brace", of(n.brace()), k.Name+" takes no block; it is passed over.", "Unexpected '{'")
	}
	if k.Form == FormValue && len(n.Words) < 2 {
		d.fatal("missing-parameter", of(n.Words[0]), "Write "+k.Name+" "+k.Args+".", "%s lacks its parameter", k.Name)
		return nil
	}
	if opens && strings.HasPrefix(k.Args, "{") && len(n.Words) > 1 {
		report := d.notice
		if k.Form == FormLines {
			report = d.warn
		}
		report("extra-words", words(n, 1), "", "%s takes no parameter", k.Name)
	}
	if !opens {
		d.swallowed(n, block)
	}
	return k
}

// swallowed tells of keywords that stand as words behind another one, where
// they mean nothing: keepalived reads one keyword a line.
func (d *decoder) swallowed(n *node, block string) {
	for i := 2; i < len(n.Words); i++ {
		w := n.Words[i]
		if !w.Quoted && w.Line == n.Words[0].Line && d.table[block][w.Value] != nil {
			d.notice("extra-words", of(w), "Put it on a line of its own.", "%s is passed over here, as it is no parameter of %s", w.Value, n.name())
		}
	}
}

// words is the span from word i to the last.
func words(n *node, i int) span { return span{n.Words[i], n.Words[len(n.Words)-1]} }

// ownWord says where one of tandem's keywords would be unknown to keepalived.
func (d *decoder) ownWord(n *node, k *Keyword) {
	w := n.Words[0]
	line := strings.TrimLeft(w.src.line(w.Line), " \t")
	if !strings.HasPrefix(line, "@") {
		d.notice("tandem-only", of(w), "Begin the line with @tandem; keepalived then passes over it.", "keepalived would report %s as unknown", k.Name)
	}
}

// lines gives the lines of a block of lines to f, one after the other.
func (d *decoder) lines(n *node, f func(*node)) {
	for _, c := range n.Body {
		switch {
		case c.stray():
		case len(c.Words) == 0 && c.HasBlock:
			d.fail("unexpected-brace", of(c.brace()), "", "Unexpected '{' in %s", n.name())
		case len(c.Words) == 0:
		case c.HasBlock:
			d.fail("unexpected-brace", of(c.brace()), "Is a '}' missing before this line?", "Unexpected '{' in %s", n.name())
		default:
			f(c)
		}
	}
}

// number reads a whole number from min to max.
func (d *decoder) number(w token, minimum, maximum int64) (int64, bool) {
	v, err := strconv.ParseInt(w.Value, 10, 64)
	if err != nil {
		d.fail("invalid-number", of(w), "", "'%s' is not a number", w.Value)
		return 0, false
	}
	if v < minimum || v > maximum {
		d.fail("out-of-range", of(w), "", "%d is outside the range %d to %d", v, minimum, maximum)
		return v, false
	}
	return v, true
}

// duration reads seconds with up to six decimals.
func (d *decoder) duration(w token, minimum, maximum time.Duration) (time.Duration, bool) {
	v, ok := parseSeconds(w.Value)
	if !ok {
		d.fail("invalid-number", of(w), "", "'%s' is not a number of seconds", w.Value)
		return 0, false
	}
	if _, fraction, _ := strings.Cut(w.Value, "."); len(fraction) > 6 {
		d.warn("decimals", of(w), "Six decimals count.", "'%s' has more decimals than microseconds", w.Value)
	}
	if v < minimum || v > maximum {
		d.fail("out-of-range", of(w), "", "%s s is outside the range %s to %s s", w.Value, seconds(minimum), seconds(maximum))
		return v, false
	}
	return v, true
}

// parseSeconds reads a decimal number of seconds, rounded to microseconds.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v > math.MaxInt32*4 {
		return 0, false
	}
	return time.Duration(math.Round(v*1e6)) * time.Microsecond, true
}

// seconds writes a duration as the file would.
func seconds(v time.Duration) string {
	return strconv.FormatFloat(v.Seconds(), 'f', -1, 64)
}

// boolean reads the optional value of a switch, which is on without one.
func (d *decoder) boolean(n *node) (value, ok bool) {
	if len(n.Words) < 2 {
		return true, true
	}
	switch n.Words[1].Value {
	case "on", "true", "yes":
		return true, true
	case "off", "false", "no":
		return false, true
	}
	d.fail("invalid-value", of(n.Words[1]), "Write on, true or yes, or off, false or no.", "'%s' is neither on nor off for %s", n.Words[1].Value, n.name())
	return false, false
}

// address reads an IP address.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, false
	}
	return a, true
}

// userOf reads "USER [GROUP]", in which USER:GROUP is one word or several.
func userOf(words []token) User {
	var parts []string
	for _, w := range words {
		for p := range strings.SplitSeq(w.Value, ":") {
			if p != "" {
				parts = append(parts, p)
			}
		}
	}
	u := User{}
	if len(parts) > 0 {
		u.Name = parts[0]
	}
	if len(parts) > 1 {
		u.Group = parts[1]
	}
	return u
}

// splitCommand splits a command line into its words as a shell would.
func splitCommand(s string) (args []string, fault string) {
	for {
		s = strings.TrimLeft(s, " \t\r\v\f\n")
		if s == "" {
			return args, fault
		}
		var b strings.Builder
		for s != "" && !isBlank(s[0]) && s[0] != '\n' {
			w := scanShellWord(s)
			if w.length == 0 {
				b.WriteByte(s[0])
				s = s[1:]
				continue
			}
			if w.fault != "" {
				fault = w.fault
			}
			b.WriteString(w.value)
			s = s[w.length:]
		}
		args = append(args, b.String())
	}
}

// command reads the script in word 1 of a statement.
func (d *decoder) command(n *node) (Command, bool) {
	w := n.Words[1]
	if w.Fault != "" {
		return Command{}, false
	}
	args, fault := splitCommand(w.Value)
	if fault != "" || len(args) == 0 {
		d.fail("invalid-script", of(w), "Close the quotes inside the script.", "the script of %s cannot be read: %s", n.name(), orElse(fault, "it is empty"))
		return Command{}, false
	}
	return Command{Pos: w.pos(), Args: args}, true
}

// orElse is s, or other where s is empty.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// runnable asks the host whether the command can be run and says why not. A
// script that is not there is a notice only, as for keepalived -t, which speaks
// of scripts that something tracks and of no others.
func (d *decoder) runnable(c *Command, at span, what string) bool {
	err := d.canRun(c, at)
	switch {
	case err == nil:
	case isMissing(err):
		d.notice("script-unusable", at, "", "%s is not run: %v", what, err)
	default:
		d.fail("script-unusable", at, "", "%s is not run: %v", what, err)
	}
	return err == nil
}

// isMissing is true of a script that is not there, or that its user may not run.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// scriptQuestion is what the host's answer about a command depends on.
type scriptQuestion struct {
	path   string
	user   User
	secure bool
}

// askScript asks the host about a command, once for all that run the same script:
// the answer takes dozens of looks at its file system and its users.
func (d *decoder) askScript(c Command) error {
	env := d.options.Environment
	if env == nil {
		return nil
	}
	q := scriptQuestion{strings.Join(c.Args[:min(len(c.Args), 1)], ""), c.User, d.cfg.Global.ScriptSecurity}
	err, known := d.scriptAnswers[q]
	if !known {
		if d.scriptAnswers == nil {
			d.scriptAnswers = map[scriptQuestion]error{}
		}
		err = env.Script(c, q.secure)
		d.scriptAnswers[q] = err
	}
	return err
}

// canRun gives the command the default user and asks the host about it.
func (d *decoder) canRun(c *Command, at span) error {
	if c.User == (User{}) {
		c.User = d.cfg.Global.ScriptUser
	}
	if err := d.askScript(*c); err != nil {
		return err
	}
	if d.used == nil {
		d.used = &at
	}
	d.adviseScript(*c, at)
	return nil
}
