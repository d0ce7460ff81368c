package config

import (
	"slices"
	"time"
)

func mailServer(d *decoder, n *node) {
	m := &d.cfg.Global.Mail
	w := n.Words[1]
	if w.Value == "" {
		d.fail("invalid-value", of(w), "Write smtp_server HOST [PORT].", "smtp_server names no host")
		return
	}
	port := int64(25)
	if len(n.Words) > 2 {
		v, ok := d.number(n.Words[2], 1, 65535)
		if !ok {
			return
		}
		port = v
	}
	m.Server, m.Port = w.Value, uint16(port)
	d.global.mailAt = words(n, 0)
}

func mailHELO(d *decoder, n *node) {
	d.cfg.Global.Mail.HELO = ""
	if len(n.Words) > 1 {
		d.cfg.Global.Mail.HELO = n.Words[1].Value
	}
}

func mailFrom(d *decoder, n *node) {
	stringTo(func(d *decoder) *string { return &d.cfg.Global.Mail.From })(d, n)
	if len(n.Words) > 2 {
		d.warn("extra-words", words(n, 2), "", "%s takes one parameter", n.name())
	}
}

func mailTimeout(d *decoder, n *node) {
	v, ok := d.number(n.Words[1], 0, maxTimerSeconds)
	if !ok {
		return
	}
	if v == 0 {
		d.warn("out-of-range", of(n.Words[1]), "", "smtp_connect_timeout must be at least 1; 1 is used")
		v = 1
	}
	d.cfg.Global.Mail.Timeout = time.Duration(v) * time.Second
}

func mailRecipients(d *decoder, n *node) {
	m := &d.cfg.Global.Mail
	before := len(m.To)
	d.lines(n, func(l *node) {
		for _, w := range l.Words {
			m.To = append(m.To, w.Value)
		}
	})
	if len(m.To) == before {
		d.warn("empty-block", words(n, 0), "Write addresses into it, one to a line.", "notification_email names nobody")
	}
	d.global.mailAt = words(n, 0)
}

// completeMail resolves the settings of e-mail.
func (d *decoder) completeMail() {
	m := &d.cfg.Global.Mail
	if m.Server != "" && m.Timeout == 0 {
		m.Timeout = 30 * time.Second
	}
	switch {
	case m.Server != "" && len(m.To) == 0:
		d.notice("mail-nobody", d.global.mailAt, "Add a block notification_email.", "smtp_server is set and nobody is to receive e-mail; none is sent")
	case m.Server == "" && len(m.To) > 0:
		d.notice("mail-no-server", d.global.mailAt, "Add a line smtp_server HOST.", "notification_email is set and there is no smtp_server; no e-mail is sent")
	}
}

// alertFor resolves smtp_alert: what is said of the thing itself, of its kind,
// or of all. Where no e-mail can be sent it is false.
func (d *decoder) alertFor(own, kind *bool, otherwise bool) bool {
	if m := d.cfg.Global.Mail; m.Server == "" || len(m.To) == 0 {
		return false
	}
	for _, p := range []*bool{own, kind, d.global.alert} {
		if p != nil {
			return *p
		}
	}
	return otherwise
}

func snmpSocket(d *decoder, n *node) {
	s := &d.cfg.Global.SNMP
	switch {
	case len(n.Words) != 2:
		d.fail("invalid-value", words(n, 0), "Write snmp_socket SOCKET.", "snmp_socket takes one parameter")
	case s.Socket != "":
		d.warn("duplicate", words(n, 0), "", "snmp_socket is given already; this one does not count")
	default:
		s.Socket = n.Words[1].Value
	}
}

// notifyDeleted takes "[SCRIPT [USER [GROUP]]]".
func notifyDeleted(d *decoder, n *node) {
	d.inst.Notify.TellDeleted = true
	notifyTo(func(d *decoder) **Command { return &d.inst.Notify.Deleted })(d, n)
}

// fifoTo takes "PATH [USER [GROUP]]".
func fifoTo(place func(*decoder) **FIFO) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			d.fail("missing-value", of(n.Words[0]), "Write "+n.name()+" PATH.", "%s names no pipe", n.name())
			return
		}
		f := fifoAt(place(d))
		if f.Path != "" {
			d.warn("duplicate", words(n, 0), "", "%s is given already; this one does not count", n.name())
			return
		}
		f.Pos, f.Path = n.Words[1].pos(), n.Words[1].Value
		if len(n.Words) > 2 {
			f.User = d.knownUser(n)
		}
	}
}

// knownUser reads the user and group behind a path or script. One that this host
// does not have is the default user.
func (d *decoder) knownUser(n *node) User {
	u := userOf(n.Words[2:])
	if err := d.noUser(u); err != nil {
		d.notice("script-user", words(n, 2), "", "the user of %s does not count: %v", n.name(), err)
		return User{}
	}
	return u
}

// noUser says why this host cannot run anything as u, or nil.
func (d *decoder) noUser(u User) error {
	if env, ok := d.options.Environment.(UserEnvironment); ok {
		return env.User(u)
	}
	return nil
}

// fifoScriptTo takes the script that reads a pipe.
func fifoScriptTo(place func(*decoder) **FIFO) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		if len(n.Words) < 2 {
			d.fail("missing-value", of(n.Words[0]), "Write "+n.name()+" SCRIPT.", "%s names no script", n.name())
			return
		}
		f := fifoAt(place(d))
		if f.Script != nil {
			d.warn("duplicate", words(n, 0), "", "%s is given already; this one does not count", n.name())
			return
		}
		c, ok := d.command(n)
		if !ok {
			return
		}
		if len(n.Words) > 2 {
			c.User = d.knownUser(n)
		}
		d.global.commands = append(d.global.commands, of(n.Words[1]))
		f.Script = &c
	}
}

func fifoAt(p **FIFO) *FIFO {
	if *p == nil {
		*p = &FIFO{}
	}
	return *p
}

// completeFIFOs drops pipes that nothing names and judges the scripts of the
// others.
func (d *decoder) completeFIFOs() {
	f := &d.cfg.Global.FIFOs
	for _, p := range []**FIFO{&f.All, &f.VRRP, &f.LVS} {
		if *p == nil {
			continue
		}
		if (*p).Path == "" {
			*p = nil
			continue
		}
		if c := (*p).Script; c != nil && !d.runnable(c, d.spanAt(c.Pos), "the script of "+(*p).Path) {
			(*p).Script = nil
		}
	}
}

// spanAt is the word at a position among the global settings.
func (d *decoder) spanAt(p Pos) span {
	i := slices.IndexFunc(d.global.commands, func(s span) bool { return s.first.pos() == p })
	if i < 0 {
		return span{}
	}
	return d.global.commands[i]
}

// timedScriptTo takes a script with a time limit of its own.
func timedScriptTo(place func(*Global) **TimedCommand) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		p := place(&d.cfg.Global)
		if *p != nil {
			d.warn("duplicate", words(n, 0), "", "%s is given already; this one does not count", n.name())
			return
		}
		c, ok, err := d.ownedCommand(n)
		if err != nil {
			d.fail("script-user", words(n, 2), "", "%s does not count: %v", n.name(), err)
		}
		if !ok {
			return
		}
		d.global.commands = append(d.global.commands, of(n.Words[1]))
		*p = &TimedCommand{Command: c}
	}
}
