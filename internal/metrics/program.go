package metrics

import "runtime"

// programFamilies are tandem's own metrics of the program as a whole.
func programFamilies() []family {
	return []family{
		counter("tandem_timers_total", "Timers of VRRP that were served.", nil, func(s *snapshot, out emit) {
			if k := s.Timekeeping; k != nil {
				out(float64(k.Timers))
			}
		}),
		counter("tandem_timers_late_total", "Timers of VRRP that were later than a tenth of the shortest advert interval.", nil, func(s *snapshot, out emit) {
			if k := s.Timekeeping; k != nil {
				out(float64(k.Late))
			}
		}),
		gauge("tandem_timer_lateness_worst_seconds", "How late a timer of VRRP was at most.", nil, func(s *snapshot, out emit) {
			if k := s.Timekeeping; k != nil {
				out(k.Worst.Seconds())
			}
		}),
		gauge("tandem_build_info", "What runs.", []string{"version", "goversion"}, func(s *snapshot, out emit) {
			out(1, s.Version, runtime.Version())
		}),
		gauge("tandem_start_time_seconds", "When the agent started, in seconds since 1970.", nil, func(s *snapshot, out emit) {
			out(moment(s.Started))
		}),
		gauge("tandem_config_loaded_seconds", "When the configuration in force was read, in seconds since 1970.", nil, func(s *snapshot, out emit) {
			out(moment(s.ConfigLoaded))
		}),
		gauge("tandem_config_last_reload_successful", "Whether the last reload succeeded; 1 where there was none.", nil, func(s *snapshot, out emit) {
			out(boolean(s.LastReload == nil || s.LastReload.OK))
		}),
		gauge("tandem_peer_drift", "Values that the peer's configuration has otherwise, and should not.", nil, func(s *snapshot, out emit) {
			if s.Peer != nil && s.Peer.Err == "" {
				out(float64(len(s.Peer.Drift)))
			}
		}),
		gauge("tandem_maintenance", "Whether an operator keeps this node from becoming master.", nil, func(s *snapshot, out emit) {
			out(boolean(s.Maintenance != nil))
		}),
		gauge("tandem_bfd_up", "Whether a BFD session is up.", []string{"session"}, func(s *snapshot, out emit) {
			for _, b := range s.BFD {
				out(boolean(b.State == "Up"), b.Name)
			}
		}),
		counter("tandem_stamp_errors_total", "Adverts whose time could not be noted for a restart.", nil, func(s *snapshot, out emit) {
			out(float64(s.StampErrors))
		}),
	}
}
