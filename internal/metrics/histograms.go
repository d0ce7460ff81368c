package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ha/tandem/internal/control"
)

// histogram is a metric that the agent counts in buckets of its own.
type histogram struct {
	desc   *prometheus.Desc
	values func(s *snapshot, out func(n uint64, total time.Duration, buckets []control.LatenessBucket, labels ...string))
}

// histograms are all that are made from a snapshot.
func histograms() []histogram {
	return []histogram{
		{
			prometheus.NewDesc("tandem_advert_jitter_seconds", "How far the master's adverts were from their interval, as a backup heard them.", []string{"instance"}, nil),
			func(s *snapshot, out func(uint64, time.Duration, []control.LatenessBucket, ...string)) {
				seen := map[string]bool{}
				for _, i := range s.Instances {
					if i.Jitter != nil && !seen[i.Name] {
						seen[i.Name] = true
						out(i.Jitter.Adverts, i.Jitter.Total, i.Jitter.Buckets, i.Name)
					}
				}
			},
		},
		{
			prometheus.NewDesc("tandem_timer_lateness_seconds", "How late timers of VRRP were served, those of a master's own adverts among them.", nil, nil),
			func(s *snapshot, out func(uint64, time.Duration, []control.LatenessBucket, ...string)) {
				if k := s.Timekeeping; k != nil {
					out(k.Timers, k.Total, k.Buckets)
				}
			},
		},
	}
}

// collectHistograms gives Prometheus the histograms, whose buckets include those
// before them.
func collectHistograms(s *snapshot, out chan<- prometheus.Metric) {
	for _, h := range histograms() {
		h.values(s, func(n uint64, total time.Duration, buckets []control.LatenessBucket, labels ...string) {
			upTo, sum := make(map[float64]uint64, len(buckets)), uint64(0)
			for _, b := range buckets {
				sum += b.Count
				upTo[b.Within.Seconds()] = sum
			}
			out <- prometheus.MustNewConstHistogram(h.desc, n, total.Seconds(), upTo, labels...)
		})
	}
}
