package metrics

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/ipvs"
)

// usageLimit bounds the wait for the kernel's counters in a scrape.
const usageLimit = 2 * time.Second

// Source is what is shown. Methods are safe for use by several goroutines.
type Source interface {
	// Status is the agent's state now.
	Status() control.Status
	// Usage is the kernel's table with its counters.
	Usage(ctx context.Context) ([]ipvs.ServiceUsage, error)
}

// Metrics is the agent as Prometheus sees it. Sink and Checked feed what a
// snapshot does not tell; they may be called at any time and never block.
type Metrics struct {
	source   Source
	registry *prometheus.Registry

	transitions *prometheus.CounterVec
	reloads     *prometheus.CounterVec
	repairs     prometheus.Counter
	checks      *prometheus.CounterVec
	latency     *prometheus.HistogramVec

	mu sync.Mutex
	// checked are the series of the checks that were made: thousands a second are,
	// and to find one by its labels costs more than to count.
	checked map[checkLabels]*checkSeries
}

// checkLabels tell the checks of a kind of one virtual server from others.
type checkLabels struct{ service, kind string }

// checkSeries are the series of such checks. A counter is there once there is
// something to count.
type checkSeries struct {
	succeeded, failed prometheus.Counter
	latency           prometheus.Observer
}

// New returns the metrics of an agent.
func New(source Source) *Metrics {
	m := &Metrics{
		source:   source,
		registry: prometheus.NewRegistry(),
		checked:  map[checkLabels]*checkSeries{},
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_transitions_total", Help: "Changes of state of an instance, by the state that it came to.",
		}, []string{"instance", "to"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_reloads_total", Help: "Reloads of the configuration, by their result.",
		}, []string{"result"}),
		repairs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tandem_ipvs_repairs_total", Help: "Changes by others to our part of the IPVS table that were put right.",
		}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_checks_total", Help: "Health checks that were made, by their result.",
		}, []string{"virtual_server", "check", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tandem_check_duration_seconds", Help: "How long health checks took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"virtual_server", "check"}),
	}
	// Both results are there from the start, so that the first is an increase.
	m.reloads.WithLabelValues("success")
	m.reloads.WithLabelValues("failure")
	m.registry.MustRegister(m.transitions, m.reloads, m.repairs, m.checks, m.latency, m,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Sink counts events; it is a journal.Sink.
func (m *Metrics) Sink(e journal.Event) {
	switch d := e.Data.(type) {
	case journal.StateChange:
		if d.Kind == journal.Instance {
			m.transitions.WithLabelValues(d.Name, d.To).Inc()
		}
	}
	switch e.Kind {
	case "ipvs-repaired":
		m.repairs.Inc()
	case "reload":
		result := "success"
		if e.Level >= journal.Warning {
			result = "failure"
		}
		m.reloads.WithLabelValues(result).Inc()
	}
}

// Checked counts a health check of a virtual server's and how long it took.
func (m *Metrics) Checked(service, kind string, took time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	labels := checkLabels{service, kind}
	series := m.checked[labels]
	if series == nil {
		series = &checkSeries{latency: m.latency.WithLabelValues(service, kind)}
		m.checked[labels] = series
	}
	counter, result := &series.succeeded, "success"
	if !ok {
		counter, result = &series.failed, "failure"
	}
	if *counter == nil {
		*counter = m.checks.WithLabelValues(service, kind, result)
	}
	(*counter).Inc()
	series.latency.Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families() {
		out <- f.desc
	}
	for _, h := range histograms() {
		out <- h.desc
	}
}

// Collect implements prometheus.Collector: one snapshot, and what it says.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	s := m.source.Status()
	ctx, cancel := context.WithTimeout(context.Background(), usageLimit)
	defer cancel()
	usage, err := m.source.Usage(ctx)
	snap := &snapshot{Status: s, usage: usage, usageErr: err}
	collectHistograms(snap, out)
	for _, f := range families() {
		// One series twice would fail the whole scrape, for a line that a
		// configuration has twice.
		seen := map[string]bool{}
		f.values(snap, func(v float64, labels ...string) {
			key := strings.Join(labels, "\x00")
			if seen[key] {
				return
			}
			seen[key] = true
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
		})
	}
}

// snapshot is what one scrape is made from.
type snapshot struct {
	control.Status
	usage    []ipvs.ServiceUsage
	usageErr error
}

// emit takes one value with its labels.
type emit func(v float64, labels ...string)

// family is one metric and where its values come from.
type family struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	values func(s *snapshot, out emit)
}

func gauge(name, help string, labels []string, values func(*snapshot, emit)) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, values}
}

func counter(name, help string, labels []string, values func(*snapshot, emit)) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, values}
}

// families are all metrics that are made from a snapshot.
func families() []family {
	return append(append(append(keepalivedFamilies(), instanceFamilies()...), serviceFamilies()...), programFamilies()...)
}

func boolean(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// moment is a time in seconds since 1970, and 0 for none.
func moment(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func number(n int) string { return strconv.Itoa(n) }
