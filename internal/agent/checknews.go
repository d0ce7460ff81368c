package agent

import (
	"fmt"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
)

// data is what the herald and the metrics act on: keepalived tells of a server
// that a reload removes, and at the end of the program where omega asks for it.
func (b *balancer) data(service string, out health.Output) any {
	b.mu.Lock()
	vs := b.byName[service]
	initial := b.conf.Global.RSInitNotifies
	b.mu.Unlock()
	switch o := out.(type) {
	case health.CheckFailed:
		if o.Decisive {
			return journal.CheckChange{Service: service, Server: o.Name, Kind: o.Kind, Cause: o.Err}
		}
		if o.First && o.Kind != "HTTP_GET" && o.Kind != "SSL_GET" && startsDown(vs, o.CheckRef) {
			// keepalived tells of a server that is down from the start as of one that
			// goes down, though not by e-mail, nor where the check is one of HTTP.
			return journal.ServerChange{Service: service, Server: o.Name, Cause: o.Err}
		}
	case health.CheckSucceeded:
		// The first success is news only of a server that was down until then.
		if o.Decisive && (!o.First || startsDown(vs, o.CheckRef)) {
			return journal.CheckChange{Service: service, Server: o.Name, Kind: o.Kind, Up: true}
		}
	case health.ServerAdded, health.ServerUp, health.ServerDown, health.ServerRemoved, health.ServerStopped:
		return serverData(service, vs, initial, out)
	case health.WeightChanged:
		return journal.WeightChange{Service: service, Server: o.Name, From: o.From, To: o.To}
	case health.QuorumGained:
		return journal.QuorumChange{Service: service, Up: true, Weight: int(o.Weight), Quorum: o.Quorum,
			Hysteresis: o.Hysteresis, Initial: o.Initial}
	case health.QuorumLost:
		// keepalived tells of a service that starts without its quorum where a sorry
		// server serves instead.
		if !o.Initial || vs != nil && vs.Sorry != nil {
			return journal.QuorumChange{Service: service, Weight: int(o.Weight), Quorum: o.Quorum,
				Hysteresis: o.Hysteresis, Initial: o.Initial}
		}
	case health.QuorumEnded:
		if o.Removed || vs != nil && vs.Omega {
			return journal.QuorumChange{Service: service, Quorum: o.Quorum, Hysteresis: o.Hysteresis}
		}
	}
	return nil
}

// serverData is data for what becomes of a server.
func serverData(service string, vs *config.VirtualServer, initial bool, out health.Output) any {
	switch o := out.(type) {
	case health.ServerUp:
		return journal.ServerChange{Service: service, Server: o.Name, Up: true}
	case health.ServerDown:
		return journal.ServerChange{Service: service, Server: o.Name, Cause: o.Cause}
	case health.ServerAdded:
		if o.Up && initial {
			return journal.ServerChange{Service: service, Server: o.Name, Up: true}
		}
	case health.ServerRemoved:
		if o.Up {
			return journal.ServerChange{Service: service, Server: o.Name, Cause: "removed from the configuration", Ended: journal.EndRemoved}
		}
	case health.ServerStopped:
		if o.Up && vs != nil && vs.Omega {
			return journal.ServerChange{Service: service, Server: o.Name, Cause: "shutdown", Ended: journal.EndStopped}
		}
	}
	return nil
}

// startsDown says whether a check's server counts as down until its first success.
func startsDown(vs *config.VirtualServer, check health.CheckRef) bool {
	if vs == nil {
		return false
	}
	for _, rs := range vs.RealServers {
		if serverName(vs, rs) != check.Name {
			continue
		}
		for _, c := range rs.Checks {
			if c.Alpha && c.Kind == check.Kind {
				return true
			}
		}
	}
	return false
}

// quietText is the line for an event that keepalived logs nothing of.
func quietText(service string, out health.Output) string {
	switch o := out.(type) {
	case health.ServerAdded:
		return fmt.Sprintf("service %s of VS %s starts up", o.Name, service)
	case health.QuorumEnded:
		return fmt.Sprintf("VS %s ends", service)
	case health.CheckFailed:
		return fmt.Sprintf("%s on service %s failed", o.Kind, o.Name)
	case health.CheckSucceeded:
		return fmt.Sprintf("%s on service %s succeeded", o.Kind, o.Name)
	}
	return ""
}
