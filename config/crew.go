package config

import (
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// crewWork is how many passages each takes before it asks for more, and twice
	// as many are worth a second pair of hands.
	crewWork = 32
	// crewMost is how many work at once, each of which needs memory of its own.
	crewMost = 4
)

// sideBySide does n pieces of work at once, as far as that pays: hand makes one pair of
// hands, which does the pieces that it is given one after the other. It returns when all
// are done, false where it is not worth it and nothing was done.
func sideBySide(n int, hand func() func(piece int)) bool {
	hands := min(runtime.GOMAXPROCS(0), crewMost, n/crewWork)
	if hands < 2 {
		return false
	}
	var next atomic.Int64
	var crew sync.WaitGroup
	for range hands {
		crew.Go(func() {
			do := hand()
			for {
				end := int(next.Add(crewWork))
				if end-crewWork >= n {
					return
				}
				for piece := end - crewWork; piece < min(end, n); piece++ {
					do(piece)
				}
			}
		})
	}
	crew.Wait()
	return true
}

// foresee finds the passages of a large file before its lines are read, side by side:
// where one ends is for its own lines alone to say. It returns them by the lines that
// they begin with, those that begin like most: without a blank.
func foresee(src *source) map[int]*passage {
	const begins = "\nvirtual_server"
	var lines []int
	for at := 0; ; {
		i := strings.Index(src.text[at:], begins)
		if i < 0 {
			break
		}
		at += i + 1
		n, _ := slices.BinarySearch(src.lines, at)
		lines = append(lines, n)
	}
	found := make([]*passage, len(lines))
	done := sideBySide(len(lines), func() func(int) {
		e := new(extent)
		return func(i int) {
			if p, ok := passageAt(src, lines[i], e); ok {
				found[i] = &p
			}
		}
	})
	if !done {
		return nil
	}
	passages := make(map[int]*passage, len(lines))
	for i, n := range lines {
		passages[n] = found[i]
	}
	return passages
}

// foretell has the passages of a large file decoded side by side, before their turn.
// What there is something to say about, or that asks for anything outside its own
// lines and global_defs, is left to its turn.
func (d *decoder) foretell(nodes []*node) {
	var passages []*passage
	for _, n := range nodes {
		if n.passage != nil {
			passages = append(passages, n.passage)
		}
	}
	sideBySide(len(passages), func() func(int) {
		w := d.helper()
		return func(i int) { passages[i].ready = w.quietly(passages[i]) }
	})
}

// helper decodes passages and nothing else. It asks the host about nothing.
func (d *decoder) helper() *decoder {
	return &decoder{
		reporter: new(reporter), table: d.table, shell: d.shell, options: Options{ID: d.options.ID}, cfg: d.cfg,
		global: d.global, servers: map[netip.AddrPort]bool{}, sketch: new(sketch),
	}
}

// quietly decodes a passage of which there is nothing to say, nil for another.
func (d *decoder) quietly(p *passage) *VirtualServer {
	d.list = d.list[:0]
	s := d.service(d.sketch.read(p, d.shell))
	if s == nil || len(d.list) > 0 || s.dependent() || !d.completeService(s) || len(d.list) > 0 {
		return nil
	}
	return s.whole()
}
