package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// fileDraft is a track_file being read.
type fileDraft struct {
	*TrackFile
	node *node
}

// processDraft is a vrrp_track_process being read.
type processDraft struct {
	*TrackProcess
	node *node
}

// bfdDraft is a bfd_instance being read.
type bfdDraft struct {
	*BFDSession
	node *node
	// both is true while neither vrrp nor checker is named.
	both bool
	// counts is true for a session of the configuration.
	counts bool
}

func fileBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	f := &fileDraft{node: n, TrackFile: &TrackFile{Pos: n.Words[0].pos(), Name: name, Weight: 1}}
	d.file = f
	d.body(n, n.name())
	d.file = nil
	if f.Path == "" {
		d.fail("missing-file", words(n, 0), "Add a line file PATH.", "%s %s names no file; it does not count", n.name(), name)
		return
	}
	if other := d.files[name]; other != nil {
		d.notice("duplicate", words(n, 0), "", "track_file %s is there already at line %d", name, other.Pos.Line)
		return
	}
	if d.files == nil {
		d.files = map[string]*fileDraft{}
	}
	d.files[name] = f
	d.cfg.TrackFiles = append(d.cfg.TrackFiles, f.TrackFile)
}

func filePath(d *decoder, n *node) {
	switch {
	case len(n.Words) < 2:
		d.notice("missing-value", of(n.Words[0]), "Write file PATH.", "file names nothing")
	case d.file.Path != "":
		d.warn("duplicate", words(n, 0), "", "track_file %s names a file already; this one does not count", d.file.Name)
	default:
		d.file.Path = n.Words[1].Value
	}
}

func fileWeight(d *decoder, n *node) {
	d.weightTo(n, 254, &d.file.Weight, &d.file.Reverse)
}

// fileInit takes "[VALUE] [overwrite]" in any order.
func fileInit(d *decoder, n *node) {
	d.file.Init = true
	for _, w := range n.Words[1:] {
		if w.Value == "overwrite" {
			d.file.Overwrite = true
			continue
		}
		v, err := strconv.ParseInt(w.Value, 10, 32)
		if err != nil {
			d.fail("invalid-value", of(w), "Write init_file [NUMBER] [overwrite].", "'%s' is no number for init_file", w.Value)
			return
		}
		if v < -254 || v > 254 {
			d.warn("out-of-range", of(w), "", "%d is outside of -254 to 254, beyond which a number changes nothing more", v)
		}
		d.file.InitValue = v
	}
}

// weightTo takes "N [reverse]" of at most limit either way.
func (d *decoder) weightTo(n *node, limit int64, weight *int, reverse *bool) {
	v, ok := d.number(n.Words[1], -limit, limit)
	if !ok {
		return
	}
	*weight, *reverse = int(v), false
	if len(n.Words) > 2 {
		if n.Words[2].Value != "reverse" {
			d.warn("invalid-value", of(n.Words[2]), "The only option is reverse.", "'%s' is no option of weight", n.Words[2].Value)
			return
		}
		*reverse = true
	}
}

func processBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	p := &processDraft{node: n, TrackProcess: &TrackProcess{
		Pos: n.Words[0].pos(), Name: name, Quorum: 1, QuorumMax: unset,
	}}
	d.process = p
	d.body(n, "vrrp_track_process")
	d.process = nil
	switch {
	case p.Process == "":
		d.fail("missing-process", words(n, 0), "Add a line process NAME.", "vrrp_track_process %s names no process; it does not count", name)
		return
	case p.QuorumMax != unset && p.QuorumMax < p.Quorum && p.QuorumMax > 0:
		d.fail("quorum", words(n, 0), "", "quorum_max %d of vrrp_track_process %s is below its quorum %d; it does not count", p.QuorumMax, name, p.Quorum)
		return
	}
	if p.QuorumMax == 0 {
		p.Quorum = 0
	}
	// Parameters are compared with the command line, and exactly unless
	// param_match says otherwise.
	p.FullCommand = p.FullCommand || len(p.Params) > 0 || p.Match != ""
	if len(p.Params) > 0 && p.Match == "" {
		p.Match = "exact"
	}
	if d.processes[name] != nil {
		d.notice("duplicate", words(n, 0), "", "vrrp_track_process %s is there already", name)
		return
	}
	if d.processes == nil {
		d.processes = map[string]*processDraft{}
	}
	d.processes[name] = p
	d.cfg.TrackProcesses = append(d.cfg.TrackProcesses, p.TrackProcess)
}

func processCommand(d *decoder, n *node) {
	d.process.Process, d.process.Params = n.Words[1].Value, nil
	for _, w := range n.Words[2:] {
		d.process.Params = append(d.process.Params, w.Value)
	}
}

func processMatch(d *decoder, n *node) {
	d.process.Match = "exact"
	if len(n.Words) < 2 {
		return
	}
	switch v := n.Words[1].Value; v {
	case "initial", "partial":
		d.process.Match = v
	default:
		d.fail("invalid-value", of(n.Words[1]), "Write initial or partial.", "'%s' is no way to compare parameters", v)
	}
}

func processWeight(d *decoder, n *node) {
	d.weightTo(n, 254, &d.process.Weight, &d.process.Reverse)
}

// processDelay takes seconds from a microsecond to an hour.
func processDelay(places ...func(*TrackProcess) *time.Duration) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.duration(n.Words[1], time.Microsecond, time.Hour)
		if !ok {
			return
		}
		for _, p := range places {
			*p(d.process.TrackProcess) = v
		}
	}
}

func bfdBlock(d *decoder, n *node) {
	name, ok := d.blockName(n)
	if !ok {
		return
	}
	if len(name) > 31 {
		d.fail("invalid-name", of(n.Words[1]), "", "the name of a bfd_instance has at most 31 bytes; the block does not count")
		return
	}
	if old := d.bfds[name]; old != nil && old.counts {
		d.fail("duplicate", words(n, 0), "", "bfd_instance %s is there already at line %d; this one does not count", name, old.Pos.Line)
		return
	}
	b := &bfdDraft{node: n, both: true, BFDSession: &BFDSession{
		Pos: n.Words[0].pos(), Name: name, Multiplier: 5,
		MinRx: 10 * time.Millisecond, MinTx: 10 * time.Millisecond, IdleTx: time.Second,
	}}
	d.bfd = b
	d.body(n, "bfd_instance")
	d.bfd = nil
	if d.bfds == nil {
		d.bfds = map[string]*bfdDraft{}
	}
	// What tracks a session that does not count finds it down for ever.
	d.bfds[name] = b
	if b.counts = d.completeBFD(b); b.counts {
		d.cfg.BFD = append(d.cfg.BFD, b.BFDSession)
	}
}

// completeBFD judges a session; false where it does not count: nothing is sent
// for it, and it is never up.
func (d *decoder) completeBFD(b *bfdDraft) bool {
	if b.both {
		b.VRRP, b.Checker = true, true
	}
	if !b.Neighbour.IsValid() {
		d.fail("missing-neighbour", words(b.node, 0), "Add a line neighbor_ip IP.", "bfd_instance %s has no valid neighbor_ip; it is never up", b.Name)
		return false
	}
	if b.Source.IsValid() && b.Source.Is6() != b.Neighbour.Is6() {
		d.fail("address-family", words(b.node, 0), "", "source_ip %s of bfd_instance %s is not of the family of %s; it is never up", b.Source, b.Name, b.Neighbour)
		return false
	}
	for _, other := range d.cfg.BFD {
		if other.Neighbour == b.Neighbour && other.Source == b.Source {
			d.fail("duplicate", words(b.node, 0), "", "bfd_instance %s has the neighbour of %s; it is never up", b.Name, other.Name)
			return false
		}
	}
	if b.TTL == 0 {
		b.TTL = 255
		if b.Neighbour.Is6() {
			b.TTL = 64
		}
	}
	if b.MaxHops > b.TTL {
		d.fail("out-of-range", words(b.node, 0), "", "max_hops %d of bfd_instance %s is above its TTL %d; the TTL is used", b.MaxHops, b.Name, b.TTL)
		b.MaxHops = b.TTL
	}
	return true
}

func bfdAddress(d *decoder, n *node) {
	w := n.Words[1]
	a, ok := d.bareAddr(w)
	if !ok {
		d.fail("invalid-address", of(w), "", "%s is no IP address for %s", w.Value, n.name())
		return
	}
	place := map[bool]*netip.Addr{true: &d.bfd.Source, false: &d.bfd.Neighbour}[n.name() == "source_ip"]
	if place.IsValid() {
		d.notice("duplicate", words(n, 0), "", "%s is given more than once; the last counts", n.name())
	}
	*place = a
}

// bfdMillis takes milliseconds, with three decimals since 2.3.
func bfdMillis(place func(*BFDSession) *time.Duration, minimum int) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		w := n.Words[1]
		text, fraction, _ := strings.Cut(w.Value, ".")
		v, err := strconv.ParseFloat(w.Value, 64)
		if err != nil || strings.Trim(text+fraction, "0123456789") != "" {
			d.fail("invalid-number", of(w), "", "'%s' is not a number of milliseconds", w.Value)
			return
		}
		if len(fraction) > 3 {
			d.warn("decimals", of(w), "Three decimals count.", "'%s' has more decimals than microseconds", w.Value)
		}
		const most = maxUint / 1000
		if v < float64(minimum) || v > most {
			d.fail("out-of-range", of(w), "", "%s ms is outside the range %d to %d ms", w.Value, minimum, most)
			return
		}
		*place(d.bfd.BFDSession) = time.Duration(v*1000) * time.Microsecond
	}
}

func bfdWeight(d *decoder, n *node) {
	d.weightTo(n, 253, &d.bfd.Weight, &d.bfd.Reverse)
}
