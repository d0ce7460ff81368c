package agent

import (
	"cmp"
	"context"
	"maps"
	"os"
	"os/user"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/mail"
	"github.com/tandem-ha/tandem/internal/notify"
	"github.com/tandem-ha/tandem/internal/script"
)

// fifoLimit bounds the wait for the readers of FIFOs that a reload takes away.
const fifoLimit = time.Second

// apply takes what a configuration wants told. What cannot be done is left out
// and returned. What the configuration no longer has stays until forget, since
// its end is still to be told.
func (h *herald) apply(cfg *config.Config, resolve func(config.Command) (health.Script, error)) []error {
	fifos, errs := notify.FIFOResolver{User: script.Owner, Script: resolve}.FIFOConfigs(cfg.Global.FIFOs)
	ctx, cancel := context.WithTimeout(context.Background(), fifoLimit)
	defer cancel()
	errs = append(errs, h.fifos.Apply(ctx, fifos)...)
	h.mail.SetRelay(relay(cfg.Global.Mail))
	vrrp, services, bad := voices(cfg, resolve)
	errs = append(errs, bad...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.node, h.noFaults, h.serversOnly = cfg.Global.RouterID, cfg.Global.Mail.NoFaults, cfg.Global.Mail.ServersOnly
	for key, v := range vrrp {
		h.vrrp[key] = v
	}
	for name, v := range services {
		if before := h.services[name].servers; len(before) > 0 {
			stay := serverNames(cfg, name)
			for server, old := range before {
				if !stay[server] {
					v.servers[server] = old
				}
			}
		}
		h.services[name] = v
	}
	return errs
}

// serverNames are the names of the real servers of a service.
func serverNames(cfg *config.Config, service string) map[string]bool {
	names := map[string]bool{}
	for _, vs := range cfg.VirtualServers {
		if vs.Checked() != service {
			continue
		}
		for _, rs := range vs.RealServers {
			names[serverName(vs, rs)] = true
		}
	}
	return names
}

// voices are what a configuration wants told, by kind and name and by service; of
// servers only of those of which something is told.
func voices(cfg *config.Config, resolve func(config.Command) (health.Script, error)) (map[string]voice, map[string]serviceVoice, []error) {
	var errs []error
	one := func(c *config.Command) *health.Script {
		if c == nil {
			return nil
		}
		s, err := resolve(*c)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		return &s
	}
	vrrp, services := map[string]voice{}, map[string]serviceVoice{}
	for _, in := range cfg.Instances {
		s, bad := notify.ResolveScripts(in.Notify, resolve)
		vrrp[journal.Instance+in.Name] = voice{s, in.SMTPAlert, in.NotifyPriorityChanges}
		errs = append(errs, bad...)
	}
	for _, g := range cfg.SyncGroups {
		s, bad := notify.ResolveScripts(g.Notify, resolve)
		vrrp[journal.Group+g.Name] = voice{s, g.SMTPAlert, false}
		errs = append(errs, bad...)
	}
	for _, vs := range cfg.VirtualServers {
		// The services of a group speak with one voice.
		v, known := services[vs.Checked()]
		if !known {
			v = serviceVoice{
				quorumUp: one(vs.QuorumUp), quorumDown: one(vs.QuorumDown),
				mail: vs.SMTPAlert, servers: map[string]serverVoice{},
			}
			services[vs.Checked()] = v
		}
		for _, rs := range vs.RealServers {
			if rs.NotifyUp == nil && rs.NotifyDown == nil && !rs.SMTPAlert {
				continue
			}
			if name := serverName(vs, rs); v.servers[name] == (serverVoice{}) {
				v.servers[name] = serverVoice{one(rs.NotifyUp), one(rs.NotifyDown), rs.SMTPAlert}
			}
		}
	}
	return vrrp, services, errs
}

// forget drops what the configuration in force does not have. Virtual servers stay for
// one configuration more, since the checks tell of their end when they come to it.
func (h *herald) forget(cfg *config.Config) {
	keep := map[string]bool{}
	for _, in := range cfg.Instances {
		keep[journal.Instance+in.Name] = true
	}
	for _, g := range cfg.SyncGroups {
		keep[journal.Group+g.Name] = true
	}
	now := map[string]bool{}
	for _, vs := range cfg.VirtualServers {
		now[vs.Checked()] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	service := maps.Clone(now)
	maps.Copy(service, h.current)
	h.current = now
	for key := range h.vrrp {
		if !keep[key] {
			delete(h.vrrp, key)
			delete(h.mailed, key)
		}
	}
	for name := range h.services {
		if !service[name] {
			delete(h.services, name)
		}
	}
	for key, c := range h.decided {
		if !service[c.Service] {
			delete(h.decided, key)
		}
	}
}

// retell writes the states of groups and instances to the FIFOs once more
// (fifo_write_vrrp_states_on_reload).
func (h *herald) retell(s control.Status) {
	for _, g := range s.Groups {
		h.fifos.Write(notify.TopicVRRP, notify.StateLine(journal.Group, g.Name, g.State.String(), 0))
	}
	for _, in := range s.Instances {
		h.fifos.Write(notify.TopicVRRP, notify.StateLine(journal.Instance, in.Name, in.State.String(), int(in.Priority)))
	}
}

// status is what became of the notifications.
func (h *herald) status() control.NotifyStatus {
	return control.NotifyStatus{ScriptsDropped: h.notifier.Dropped(), FIFOs: h.fifos.Status(), Mail: h.mail.Status()}
}

// relay is whom e-mail goes to, what is not configured filled in as keepalived
// fills it in.
func relay(m config.Mail) mail.Relay {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	sender := "root"
	if u, err := user.Current(); err == nil {
		sender = u.Username
	}
	return mail.Relay{
		Server: m.Server, Port: m.Port, HELO: cmp.Or(m.HELO, name),
		From: cmp.Or(m.From, sender+"@"+name), To: m.To, Timeout: m.Timeout,
	}
}
