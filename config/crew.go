package config

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// crewWork is how many passages each decodes before it asks for more, and twice
	// as many are worth a second pair of hands.
	crewWork = 32
	// crewMost is how many decode at once, each of which needs memory of its own.
	crewMost = 4
)

// foretell has the passages of a large file decoded side by side, before their turn.
// What there is something to say about, or that asks for anything outside its own
// lines and global_defs, is left to its turn.
func (d *decoder) foretell(nodes []*Node) {
	var passages []*passage
	for _, n := range nodes {
		if n.passage != nil {
			passages = append(passages, n.passage)
		}
	}
	hands := min(runtime.GOMAXPROCS(0), crewMost, len(passages)/crewWork)
	if hands < 2 {
		return
	}
	var next atomic.Int64
	var crew sync.WaitGroup
	for range hands {
		crew.Go(func() {
			w := d.helper()
			for {
				end := int(next.Add(crewWork))
				if end-crewWork >= len(passages) {
					return
				}
				for _, p := range passages[end-crewWork : min(end, len(passages))] {
					p.ready = w.quietly(p)
				}
			}
		})
	}
	crew.Wait()
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
