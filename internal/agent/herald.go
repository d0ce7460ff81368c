package agent

import (
	"fmt"
	"sync"
	"time"

	"github.com/tandem-ha/tandem/health"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/mail"
	"github.com/tandem-ha/tandem/internal/notify"
)

// herald tells the outside of what happened: a sink of the journal that, for
// each event, queues the scripts, lines and e-mail that the configuration wants.
// It is told on the loops of others and waits for nobody.
type herald struct {
	notifier *notify.Notifier
	fifos    *notify.FIFOSet
	mail     *mail.Queue

	mu       sync.Mutex
	vrrp     map[string]voice // by kind and name
	services map[string]serviceVoice
	// current are the services of the configuration in force.
	current map[string]bool
	// node begins every subject; noFaults keeps FAULT out of e-mail.
	node     string
	noFaults bool
	// serversOnly sends e-mail about a server only when it comes or goes.
	serversOnly bool
	// mailed is the state that was last sent, by kind and name: what does not
	// differ from it is no news.
	mailed map[string]string
	// decided is the check that last changed its mind about a server, by service
	// and server.
	decided map[string]journal.CheckChange
}

// voice is what is wanted for an instance or a sync group.
type voice struct {
	scripts notify.Scripts
	// mail sends e-mail, priorities writes changes of priority to the FIFOs.
	mail, priorities bool
}

// serviceVoice is what is wanted for a virtual server and its real servers.
type serviceVoice struct {
	quorumUp, quorumDown *health.Script
	mail                 bool
	servers              map[string]serverVoice // by the server's name in logs
}

// serverVoice is what is wanted for a real server.
type serverVoice struct {
	up, down *health.Script
	mail     bool
}

func newHerald(n *notify.Notifier, f *notify.FIFOSet, m *mail.Queue) *herald {
	return &herald{
		notifier: n, fifos: f, mail: m,
		vrrp: map[string]voice{}, services: map[string]serviceVoice{},
		mailed: map[string]string{}, decided: map[string]journal.CheckChange{},
	}
}

// sink tells of an event: scripts first, then FIFOs, then e-mail.
func (h *herald) sink(e journal.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch d := e.Data.(type) {
	case journal.StateChange:
		h.state(e.Time, d)
	case journal.PriorityChange:
		if h.vrrp[journal.Instance+d.Name].priorities {
			h.fifos.Write(notify.TopicVRRP, notify.PriorityLine(d.Name, d.State, d.To))
		}
	case journal.LowerPriority:
		key := journal.Instance + d.Name
		h.notifier.Enqueue(key, notify.LowerPriorityJobs(h.vrrp[key].scripts, d.Name)...)
		h.fifos.Write(notify.TopicVRRP, notify.LowerPriorityLine(d.Name, d.Priority))
	case journal.CheckChange:
		h.decided[d.Service+d.Server] = d
		if h.services[d.Service].servers[d.Server].mail && !h.serversOnly {
			h.send(e.Time, notify.CheckAlert(d))
		}
	case journal.ServerChange:
		h.server(e.Time, d)
	case journal.QuorumChange:
		h.quorum(e.Time, d)
	}
}

// state tells of an instance or a group.
func (h *herald) state(at time.Time, d journal.StateChange) {
	key := d.Kind + d.Name
	v := h.vrrp[key]
	h.notifier.Enqueue(key, notify.VRRPJobs(v.scripts, d.Kind, d.Name, d.To, d.Priority)...)
	to := v.scripts.Word(d.To)
	h.fifos.Write(notify.TopicVRRP, notify.StateLine(d.Kind, d.Name, to, d.Priority))
	if !v.mail || to == journal.Fault && h.noFaults || h.mailed[key] == to {
		return
	}
	if a := notify.StateAlert(d.Kind, d.Name, to); a != nil {
		h.mailed[key] = to
		h.send(at, a)
	}
}

// server tells of a real server that came or went.
func (h *herald) server(at time.Time, d journal.ServerChange) {
	v := h.services[d.Service].servers[d.Server]
	script, keyword := v.down, "notify_down"
	if d.Up {
		script, keyword = v.up, "notify_up"
	}
	h.notifier.Enqueue(d.Service+d.Server, notify.ServerJobs(script, keyword, fmt.Sprintf("%s of %s", d.Server, d.Service))...)
	h.fifos.Write(notify.TopicLVS, notify.ServerLine(d.Server, d.Service, d.Up))
	decided, checked := h.decided[d.Service+d.Server]
	switch {
	case !v.mail:
	case d.Ended != "":
		h.send(at, notify.EndAlert(d.Server, d.Service, d.Ended))
	case h.serversOnly && checked && decided.Up == d.Up:
		h.send(at, notify.CheckAlert(decided))
	}
}

// quorum tells of a virtual server.
func (h *herald) quorum(at time.Time, d journal.QuorumChange) {
	v := h.services[d.Service]
	script, keyword := v.quorumDown, "quorum_down"
	if d.Up {
		script, keyword = v.quorumUp, "quorum_up"
	}
	h.notifier.Enqueue(d.Service, notify.ServerJobs(script, keyword, d.Service)...)
	h.fifos.Write(notify.TopicLVS, notify.QuorumLine(d.Service, d.Up))
	if v.mail {
		h.send(at, notify.QuorumAlert(d))
	}
}

func (h *herald) send(at time.Time, a *notify.Alert) {
	h.mail.Send(mail.Message{Subject: "[" + h.node + "] " + a.Subject, Body: a.Body, Time: at})
}
