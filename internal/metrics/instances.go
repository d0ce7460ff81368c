package metrics

import (
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/vrrp"
)

// states are those that an instance can be in, for metrics that have one series
// each.
func states() []vrrp.State { return []vrrp.State{vrrp.Init, vrrp.Backup, vrrp.Master, vrrp.Failed} }

// instanceFamilies are tandem's own metrics of instances. No label changes while
// an instance lives, so that rates and sums are of one series.
func instanceFamilies() []family {
	one := []string{"instance"}
	each := func(value func(control.InstanceStatus) float64) func(*snapshot, emit) {
		return func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				out(value(i), i.Name)
			}
		}
	}
	return []family{
		gauge("tandem_instance_info", "What an instance is.", []string{"instance", "interface", "vrid", "version", "sync_group"},
			func(s *snapshot, out emit) {
				for _, i := range s.Instances {
					out(1, i.Name, i.Interface, number(i.VRID), number(i.Version), i.SyncGroup)
				}
			}),
		gauge("tandem_instance_state", "Whether an instance is in the state.", []string{"instance", "state"}, func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				for _, state := range states() {
					out(boolean(i.State == state), i.Name, state.String())
				}
			}
		}),
		gauge("tandem_instance_state_since_seconds", "When an instance came to its state, in seconds since 1970.", one,
			each(func(i control.InstanceStatus) float64 { return moment(i.Since) })),
		gauge("tandem_instance_priority", "The effective priority.", one,
			each(func(i control.InstanceStatus) float64 { return float64(i.Priority) })),
		gauge("tandem_instance_base_priority", "The configured priority.", one,
			each(func(i control.InstanceStatus) float64 { return float64(i.BasePriority) })),
		gauge("tandem_instance_advert_interval_seconds", "The configured advert interval.", one,
			each(func(i control.InstanceStatus) float64 { return i.Interval.Seconds() })),
		gauge("tandem_instance_last_advert_seconds", "When the last usable advert of another node was heard, in seconds since 1970.", one,
			each(func(i control.InstanceStatus) float64 { return moment(i.LastAdvert) })),
		gauge("tandem_instance_addresses", "Virtual addresses that the instance holds.", one,
			each(func(i control.InstanceStatus) float64 { return float64(len(i.Held)) })),
		gauge("tandem_instance_faults", "Reasons for FAULT that are in force.", one,
			each(func(i control.InstanceStatus) float64 { return float64(len(i.Faults)) })),
		gauge("tandem_instance_override", "Whether an override is in force.", []string{"instance", "override"}, func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				out(boolean(i.Offering), i.Name, "offering")
				out(boolean(i.Hold), i.Name, "held")
				out(boolean(i.Forced), i.Name, "forced")
				out(boolean(i.Ineligible != ""), i.Name, "ineligible")
				out(boolean(!i.DampedUntil.IsZero()), i.Name, "damped")
			}
		}),
		gauge("tandem_instance_down_margin_seconds", "The least that was left of the master down timer when an advert came.", one,
			each(func(i control.InstanceStatus) float64 { return i.DownMargin.Seconds() })),
		gauge("tandem_alarm", "An alarm that is in force.", []string{"alarm", "instance", "peer"}, func(s *snapshot, out emit) {
			for _, a := range s.Alarms {
				peer := ""
				if a.Peer.IsValid() {
					peer = a.Peer.String()
				}
				out(1, string(a.Kind), a.Instance, peer)
			}
		}),
		counter("tandem_adverts_sent_total", "Adverts sent.", one,
			each(func(i control.InstanceStatus) float64 { return float64(i.Counters.AdvertsSent) })),
		counter("tandem_adverts_received_total", "Adverts received and used.", one,
			each(func(i control.InstanceStatus) float64 { return float64(i.Counters.AdvertsReceived) })),
		counter("tandem_advert_send_errors_total", "Adverts that could not be sent.", one,
			each(func(i control.InstanceStatus) float64 { return float64(i.Counters.SendErrors) })),
		counter("tandem_adverts_dropped_total", "Adverts dropped, by the reason.", []string{"instance", "reason"}, func(s *snapshot, out emit) {
			for _, i := range s.Instances {
				for reason, n := range i.Counters.Dropped {
					out(float64(n), i.Name, string(reason))
				}
			}
		}),
		counter("tandem_foreign_adverts_total", "Adverts for no instance of ours.", []string{"interface", "reason"}, func(s *snapshot, out emit) {
			for _, f := range s.Foreign {
				out(float64(f.Count), f.Interface, string(f.Reason))
			}
		}),
		gauge("tandem_script_up", "Whether a tracking script succeeds.", []string{"script"}, func(s *snapshot, out emit) {
			for _, c := range s.Scripts {
				if c.State != "unknown" {
					out(boolean(c.State == "up"), c.Name)
				}
			}
		}),
	}
}
