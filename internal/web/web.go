package web

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// The page's limits.
const (
	// tick is how often the page is told to look again where nothing happened:
	// rates and ages change by themselves.
	tick = 5 * time.Second
	// pause is the least time between two such words, whatever happens.
	pause = 500 * time.Millisecond
	// writeLimit is how long a reader may take for one.
	writeLimit = 10 * time.Second
	// usageLimit bounds the wait for the kernel's counters.
	usageLimit = 2 * time.Second
	// shownEvents is how many events the page has, of the last ones.
	shownEvents = 60
)

//go:embed assets
var assets embed.FS

// Source is what the page shows. Methods are safe for use by several goroutines.
type Source interface {
	Status() control.Status
	// Usage is the kernel's table with its counters.
	Usage(ctx context.Context) ([]ipvs.ServiceUsage, error)
	Journal() *journal.Journal
}

// Page serves the status page.
type Page struct {
	source    Source
	mayOrder  func(*http.Request) bool
	templates *template.Template
	mux       *http.ServeMux
}

// Patterns are what a Page answers, for who serves it among other things.
func Patterns() []string {
	return []string{"GET /{$}", "GET /web/"}
}

// New returns the page of an agent. mayOrder says whether who asks may command;
// the page then has buttons, which use the control interface beside it.
func New(source Source, mayOrder func(*http.Request) bool) *Page {
	p := &Page{
		source: source, mayOrder: mayOrder, mux: http.NewServeMux(),
		templates: template.Must(template.ParseFS(assets, "assets/page.html")),
	}
	p.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { p.write(w, r, "page") })
	p.mux.HandleFunc("GET /web/fragment", func(w http.ResponseWriter, r *http.Request) { p.write(w, r, "main") })
	p.mux.HandleFunc("GET /web/stream", p.stream)
	for name, media := range map[string]string{"style.css": "text/css", "app.js": "text/javascript"} {
		p.mux.HandleFunc("GET /web/"+name, func(w http.ResponseWriter, _ *http.Request) {
			b, err := assets.ReadFile("assets/" + name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			send(w, media, b)
		})
	}
	return p
}

// ServeHTTP implements http.Handler. Nothing on the page comes from anywhere
// else, and nobody else may show it in a frame.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	p.mux.ServeHTTP(w, r)
}

func send(w http.ResponseWriter, media string, b []byte) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	// Who does not read to the end has gone.
	_, _ = w.Write(b)
}

// write answers with the page or the part of it that changes.
func (p *Page) write(w http.ResponseWriter, r *http.Request, name string) {
	ctx, cancel := context.WithTimeout(r.Context(), usageLimit)
	defer cancel()
	// Without the kernel's counters the page shows the rest.
	usage, _ := p.source.Usage(ctx)
	events := p.source.Journal().Events(0)
	events = events[max(0, len(events)-shownEvents):]
	v := newView(p.source.Status(), usage, events, time.Now())
	v.Commands = p.mayOrder(r)
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "text/html", b.Bytes())
}

// stream tells the page, by server-sent events, that there is something new.
// What it is, the page asks for: a reader that is slow misses nothing by it.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	_, follow := p.source.Journal().Subscribe(p.last(), 1)
	defer follow.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	timer := time.NewTicker(tick)
	defer timer.Stop()
	for n := 1; ; n++ {
		if err := out.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return
		}
		if _, err := w.Write([]byte("data: " + strconv.Itoa(n) + "\n\n")); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
		select {
		case <-r.Context().Done():
			return
		case <-timer.C:
		case _, ok := <-follow.Events():
			if !ok {
				return
			}
		}
	}
}

// last is the number of the newest event.
func (p *Page) last() uint64 {
	events := p.source.Journal().Events(0)
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].Seq
}
