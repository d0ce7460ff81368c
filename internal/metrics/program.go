package metrics

import "runtime"

// programFamilies are tandem's own metrics of the program as a whole.
func programFamilies() []family {
	return []family{
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
		counter("tandem_stamp_errors_total", "Adverts whose time could not be noted for a restart.", nil, func(s *snapshot, out emit) {
			out(float64(s.StampErrors))
		}),
	}
}
