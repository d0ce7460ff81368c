package agent

import (
	"errors"
	"net/http"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/publish"
	"github.com/tandem-ha/tandem/internal/web"
)

// pages are what the agent shows on addresses of their own, beside the control
// interface.
type pages struct {
	metrics, web *publish.Listener
}

func newPages(a *Agent) *pages {
	failed := func(err error) {
		a.journal.Add(journal.Event{Kind: "page", Level: journal.Error, Text: err.Error()})
	}
	metrics := a.metrics.Handler()
	a.server.Read("GET /metrics", metrics)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	page := web.New(a, a.server.MayCommand)
	for _, pattern := range web.Patterns() {
		a.server.Read(pattern, page)
	}
	nobody := func(*http.Request) bool { return false }
	return &pages{
		metrics: publish.NewListener("metrics", mux, failed),
		web:     publish.NewListener("status page", web.New(a, nobody), failed),
	}
}

// configure listens where the configuration says; what cannot be had is an
// error, and everything else is there.
func (p *pages) configure(t config.Tandem) error {
	return errors.Join(p.metrics.Configure(t.Metrics.Listen), p.web.Configure(t.Web.Listen))
}

func (p *pages) close() {
	p.metrics.Close()
	p.web.Close()
}
