package config

// tracked is what a line of track_file, track_process or track_bfd can name.
type tracked struct {
	weight  int
	reverse bool
	limit   int64
}

// fileTracks reads a block track_file.
func (d *decoder) fileTracks(n *node, list []Track, owner string) []Track {
	return d.tracks(n, list, owner, "file", func(name string) (tracked, bool) {
		f := d.files[name]
		if f == nil {
			return tracked{}, false
		}
		return tracked{f.Weight, f.Reverse, 254}, true
	})
}

// processTracks reads a block track_process.
func (d *decoder) processTracks(n *node, list []Track, owner string) []Track {
	return d.tracks(n, list, owner, "process", func(name string) (tracked, bool) {
		p := d.processes[name]
		if p == nil {
			return tracked{}, false
		}
		return tracked{p.Weight, p.Reverse, 254}, true
	})
}

// bfdTracks reads a block track_bfd.
func (d *decoder) bfdTracks(n *node, list []Track, owner string) []Track {
	return d.tracks(n, list, owner, "BFD session", func(name string) (tracked, bool) {
		b := d.bfds[name]
		if b == nil || !b.VRRP {
			return tracked{}, false
		}
		return tracked{b.Weight, b.Reverse, 253}, true
	})
}

// tracks reads a block of lines "NAME [weight N [reverse|noreverse]]", whose
// names find looks up.
func (d *decoder) tracks(n *node, list []Track, owner, what string, find func(string) (tracked, bool)) []Track {
	d.lines(n, func(l *node) {
		w := l.Words[0]
		known, ok := find(w.Value)
		if !ok {
			d.warn("track-undefined", of(w), "Put its block above this line.", "%s tracks the %s %s, which is not defined above", owner, what, w.Value)
			return
		}
		for _, t := range list {
			if t.Name == w.Value {
				d.warn("duplicate", of(w), "", "%s tracks the %s %s already", owner, what, w.Value)
				return
			}
		}
		t := Track{Pos: w.pos(), Name: w.Value, Weight: known.weight, Reverse: known.reverse}
		if d.trackOptions(l, &t, trackForm{limit: known.limit, noreverse: true}) {
			list = append(list, t)
		}
	})
	return list
}
