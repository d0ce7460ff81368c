package config

import "time"

// scriptDraft is a vrrp_script being read.
type scriptDraft struct {
	*Script
	node    *node
	command *node
	// used is set when an instance or a group tracks it; fault says why it
	// cannot be run.
	used  bool
	fault error
}

// blockName is the one name of a block like vrrp_instance; without it the block
// does not count.
func (d *decoder) blockName(n *node) (string, bool) {
	if len(n.Words) != 2 || n.Words[1].Value == "" {
		d.fail("missing-name", span{n.Words[0], n.Words[len(n.Words)-1]}, "Write "+n.name()+" NAME { ... }.", "%s must have one name; the block does not count", n.name())
		return "", false
	}
	return n.Words[1].Value, true
}

func scriptBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	s := &scriptDraft{node: n, Script: &Script{Pos: n.Words[0].pos(), Name: name, Interval: time.Second, Rise: 1, Fall: 1}}
	d.script = s
	d.body(n, "vrrp_script")
	d.script = nil
	if s.command == nil {
		d.fail("missing-script", words(n, 0), "Add a line script \"COMMAND\".", "vrrp_script %s has no script; it does not count", name)
		return
	}
	if s.Timeout == 0 {
		s.Timeout = s.Interval
	}
	for _, other := range d.scripts {
		if other.Name == name {
			d.notice("duplicate", words(n, 0), "", "vrrp_script %s is there already at line %d", name, other.Pos.Line)
		}
	}
	if s.fault == nil {
		s.fault = d.canRun(&s.Command, of(s.command.Words[1]))
	}
	d.scripts = append(d.scripts, s)
}

func scriptCommand(d *decoder, n *node) {
	c, ok := d.command(n)
	if !ok {
		return
	}
	if len(n.Words) > 2 {
		d.notice("extra-words", words(n, 2), "Put the command and its arguments into one pair of quotes.", "what follows the first word of a script does not count")
	}
	user := d.script.Command.User
	d.script.Command, d.script.command = c, n
	d.script.Command.User = user
}

// scriptSeconds takes a time of a script, to the millisecond; 0 is 1 s.
func scriptSeconds(what string, place func(*Script) *time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.duration(n.Words[1], 0, maxTimer)
		if !ok {
			return
		}
		v = v.Round(time.Millisecond)
		if v == 0 {
			d.warn("out-of-range", of(n.Words[1]), "", "the %s of vrrp_script %s must be more than 0; 1 s is used", what, d.script.Name)
			v = time.Second
		}
		*place(d.script.Script) = v
	}
}

func scriptCount(place func(*Script) *int) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		*place(d.script.Script) = 1
		if v, ok := d.number(n.Words[1], 1, maxInt); ok {
			*place(d.script.Script) = int(v)
		}
	}
}

// scriptUser takes who runs a script; one that this host does not have makes it
// unusable.
func scriptUser(d *decoder, n *node) {
	u := userOf(n.Words[1:])
	if err := d.noUser(u); err != nil {
		d.fail("script-user", words(n, 1), "", "vrrp_script %s cannot be run: %v", d.script.Name, err)
		d.script.fault = err
		return
	}
	d.script.Command.User = u
}

func scriptWeight(d *decoder, n *node) {
	v, ok := d.weight(n.Words[1])
	if !ok {
		return
	}
	d.script.Weight, d.script.Reverse = v, false
	if len(n.Words) > 2 {
		if n.Words[2].Value != "reverse" {
			d.warn("invalid-value", of(n.Words[2]), "", "'%s' is no option of weight", n.Words[2].Value)
			return
		}
		d.script.Reverse = true
	}
}

// weight reads the weight of something tracked; 254 is cut to 253.
func (d *decoder) weight(w token) (int, bool) {
	v, ok := d.number(w, -254, 254)
	if !ok {
		return 0, false
	}
	if v == 254 || v == -254 {
		d.warn("out-of-range", of(w), "", "the weight %d is cut to %d", v, v/254*253)
		v = v / 254 * 253
	}
	return int(v), true
}

// trackForm is what the lines of a tracking block may say.
type trackForm struct {
	// limit is the greatest weight either way; where it is 0, 254 is cut to 253.
	limit int64
	// noreverse is true where that word may follow the weight.
	noreverse bool
}

// trackOptions reads "weight N [reverse|noreverse]" behind the name in a line of
// a tracking block. A number that cannot be read does not count; with a word that is
// none of these the whole line does not, and the result is false.
func (d *decoder) trackOptions(n *node, t *Track, f trackForm) bool {
	if len(n.Words) < 2 {
		return true
	}
	w := n.Words[1]
	switch {
	case w.Value != "weight":
		d.warn("unknown-option", of(w), "A line may say weight N, then reverse.", "unknown option %s for %s, which is not tracked", w.Value, t.Name)
		return false
	case len(n.Words) < 3:
		d.fail("missing-value", of(w), "Write weight N.", "weight lacks its parameter; %s is not tracked", t.Name)
		return false
	}
	var v int
	var ok bool
	if f.limit == 0 {
		v, ok = d.weight(n.Words[2])
	} else {
		var long int64
		long, ok = d.number(n.Words[2], -f.limit, f.limit)
		v = int(long)
	}
	if ok {
		t.Weight, t.Reverse = v, false
	}
	if len(n.Words) < 4 {
		return true
	}
	switch w := n.Words[3]; {
	case w.Value == "reverse":
		t.Reverse = t.Reverse || ok
	case w.Value == "noreverse" && f.noreverse:
	default:
		d.warn("unknown-option", of(w), "The weight may be followed by reverse.", "unknown option %s for %s, which is not tracked", w.Value, t.Name)
		return false
	}
	return true
}

// scriptTracks reads a block track_script.
func (d *decoder) scriptTracks(n *node, list []Track, owner string) []Track {
	d.lines(n, func(l *node) {
		w := l.Words[0]
		s := d.scriptNamed(w.Value)
		if s == nil {
			d.warn("track-script-undefined", of(w), d.scriptHelp(w.Value), "%s tracks the script %s, which is not defined above", owner, w.Value)
			return
		}
		for _, t := range list {
			if t.Name == w.Value {
				d.warn("duplicate", of(w), "", "%s tracks the script %s already", owner, w.Value)
				return
			}
		}
		t := Track{Pos: w.pos(), Name: w.Value, Weight: s.Weight, Reverse: s.Reverse}
		if !d.trackOptions(l, &t, trackForm{noreverse: true}) {
			return
		}
		s.used = true
		list = append(list, t)
	})
	return list
}

func (d *decoder) scriptNamed(name string) *scriptDraft {
	for _, s := range d.scripts {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// scriptHelp says what may be wrong with the name of a tracked script.
func (d *decoder) scriptHelp(name string) string {
	names := make([]string, 0, len(d.scripts))
	for _, s := range d.scripts {
		names = append(names, s.Name)
	}
	if best := nearest(name, names); best != "" {
		return "Did you mean " + best + "?"
	}
	return "Put the block vrrp_script " + name + " above this line."
}

// interfaceTracks reads a block track_interface.
func (d *decoder) interfaceTracks(n *node, list []Track, owner string) []Track {
	d.lines(n, func(l *node) {
		w := l.Words[0]
		for _, t := range list {
			if t.Name == w.Value {
				d.warn("duplicate", of(w), "", "%s tracks the interface %s already", owner, w.Value)
				return
			}
		}
		t := Track{Pos: w.pos(), Name: w.Value}
		d.interfaceExists(w, owner+" tracks")
		if !d.trackOptions(l, &t, trackForm{}) {
			return
		}
		list = append(list, t)
	})
	return list
}

// interfaceExists asks the host for an interface and says where it is missing.
func (d *decoder) interfaceExists(w token, what string) bool {
	env := d.options.Environment
	if env == nil || env.Interface(w.Value) {
		return true
	}
	if d.cfg.Global.DynamicInterfaces {
		d.warn("interface-missing", of(w), "dynamic_interfaces lets it come later.", "the interface %s that %s does not exist", w.Value, what)
		return true
	}
	d.fatal("interface-missing", of(w), "Correct the name, or set dynamic_interfaces in global_defs.", "the interface %s that %s does not exist", w.Value, what)
	return false
}
