package config

import "time"

// maxLVSTimeout is the longest timeout of IPVS, 31 days in seconds.
const maxLVSTimeout = 2678400

// lvsTimeouts takes pairs "tcp N", "tcpfin N" and "udp N".
func lvsTimeouts(d *decoder, n *node) {
	t := &d.cfg.Global.LVS.Timeouts
	if len(n.Words) < 2 {
		d.fail("missing-value", of(n.Words[0]), "Write lvs_timeouts tcp N, with tcpfin N or udp N.", "lvs_timeouts names no time")
		return
	}
	for i := 1; i < len(n.Words); i += 2 {
		w := n.Words[i]
		place := map[string]*time.Duration{"tcp": &t.TCP, "tcpfin": &t.TCPFin, "udp": &t.UDP}[w.Value]
		if place == nil {
			d.warn("unknown-option", of(w), d.table.suggest(timeoutBlock, w.Value), "unknown option %s of lvs_timeouts", w.Value)
			continue
		}
		if i+1 >= len(n.Words) {
			d.fail("missing-value", of(w), "Write "+w.Value+" SECONDS.", "%s lacks its value", w.Value)
			return
		}
		if v, ok := d.number(n.Words[i+1], 0, maxLVSTimeout); ok {
			*place = time.Duration(v) * time.Second
		}
	}
}

func lvsFlush(d *decoder, n *node) {
	f := &d.cfg.Global.LVS.FlushAtStop
	switch {
	case len(n.Words) < 2:
		*f = FlushAll
	case n.Words[1].Value == "VS":
		*f = FlushOurs
	default:
		d.warn("invalid-value", of(n.Words[1]), "The only option is VS.", "unknown option %s of %s", n.Words[1].Value, n.name())
	}
}

// syncDraft is lvs_sync_daemon while it is read.
type syncDraft struct {
	*SyncDaemon
	node *node
	id   bool
}

// syncDaemon takes "IFNAME [inst NAME] [id N] [maxlen N] [port N] [ttl N]
// [group IP]", or the old "IFNAME NAME [ID]".
func syncDaemon(d *decoder, n *node) {
	if d.global.sync != nil {
		d.warn("duplicate", words(n, 0), "", "lvs_sync_daemon is given already; this one does not count")
		return
	}
	w := n.Words[1]
	if len(w.Value) > maxInterfaceName {
		d.fail("invalid-value", of(w), "", "the name of the interface %s has more than %d bytes", w.Value, maxInterfaceName)
		return
	}
	s := &syncDraft{node: n, SyncDaemon: &SyncDaemon{Pos: w.pos(), Interface: w.Value}}
	rest := n.Words[2:]
	if len(rest) > 0 && d.table[syncBlock][rest[0].Value] == nil {
		s.Instance, rest = rest[0].Value, rest[1:]
		d.notice("deprecated", of(n.Words[2]), "Write lvs_sync_daemon IFNAME inst NAME id N.", "a name without inst is an old form of lvs_sync_daemon")
		if len(rest) > 0 && d.table[syncBlock][rest[0].Value] == nil {
			d.warn("deprecated", of(rest[0]), "Write id before it.", "a number without id is an old form of lvs_sync_daemon")
			if v, ok := d.number(rest[0], 0, 255); ok {
				s.ID, s.id = int(v), true
			}
			rest = rest[1:]
		}
	}
	for len(rest) > 0 {
		if d.table[syncBlock][rest[0].Value] == nil {
			d.warn("unknown-option", of(rest[0]), d.table.suggest(syncBlock, rest[0].Value), "unknown option %s of lvs_sync_daemon", rest[0].Value)
			rest = rest[1:]
			continue
		}
		if len(rest) < 2 {
			d.fail("missing-value", of(rest[0]), "", "%s of lvs_sync_daemon lacks its value", rest[0].Value)
			break
		}
		d.syncOption(s, rest[0].Value, rest[1])
		rest = rest[2:]
	}
	d.global.sync = s
}

// syncOption takes one option with its value.
func (d *decoder) syncOption(s *syncDraft, option string, w token) {
	switch option {
	case "inst":
		s.Instance = w.Value
	case "id":
		if v, ok := d.number(w, 0, 255); ok {
			s.ID, s.id = int(v), true
		}
	case "maxlen":
		if v, ok := d.number(w, 1, 65507); ok {
			s.MaxLength = int(v)
		}
	case "port":
		if v, ok := d.number(w, 1, 65535); ok {
			s.Port = uint16(v)
		}
	case "ttl":
		if v, ok := d.number(w, 1, 255); ok {
			s.TTL = int(v)
		}
	case "group":
		a, ok := parseAddr(w.Value)
		if !ok || !a.IsMulticast() {
			d.fail("invalid-address", of(w), "Write one like 224.0.0.81.", "%s is no multicast address", w.Value)
			return
		}
		s.Group = a
	}
}

// completeSync resolves lvs_sync_daemon against the instances.
func (d *decoder) completeSync() {
	s := d.global.sync
	if s == nil {
		return
	}
	d.cfg.Global.LVS.Sync = s.SyncDaemon
	at := words(s.node, 0)
	if s.Instance != "" {
		i := d.instanceNamed(s.Instance)
		switch {
		case i == nil:
			d.notice("sync-undefined", at, d.instanceHelp(s.Instance), "lvs_sync_daemon follows %s, which is not defined", s.Instance)
		case !s.id:
			s.ID = i.VRID
		}
	}
	env := d.options.Environment
	if env != nil && !env.Interface(s.Interface) {
		d.notice("interface-missing", at, "", "the interface %s of lvs_sync_daemon does not exist", s.Interface)
	}
}
