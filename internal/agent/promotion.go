package agent

import (
	"slices"
	"sync"

	"github.com/tandem-ha/tandem/internal/host"
)

// promotion keeps promote_secondaries on for the links that want it, also when
// one of them comes late or is made anew.
type promotion struct {
	settings *settings
	// trouble is told of a setting that could not be made.
	trouble func(error)

	mu    sync.Mutex
	names []string
	index map[string]int
}

func newPromotion(s *settings, trouble func(error)) *promotion {
	return &promotion{settings: s, trouble: trouble, index: map[string]int{}}
}

// set makes these the links that want it; none puts back what was.
func (p *promotion) set(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = names
	p.apply()
}

func (p *promotion) apply() {
	var want []host.Sysctl
	for _, name := range p.names {
		want = append(want, host.PromoteSecondariesSysctls(name)...)
	}
	if err := p.settings.want("promote_secondaries", want); err != nil {
		p.trouble(err)
	}
}

// event follows the host's links.
func (p *promotion) event(ev host.Event) {
	e, ok := ev.(host.LinkChanged)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.index[e.Link.Name]
	p.index[e.Link.Name] = e.Link.Index
	if was != e.Link.Index && slices.Contains(p.names, e.Link.Name) {
		p.apply()
	}
}
