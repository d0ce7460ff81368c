package agent

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/peers"
	"github.com/tandem-ha/tandem/internal/reach"
	"github.com/tandem-ha/tandem/vrrp"
)

// outlook is what an instance learns beyond its adverts: whether it may take over,
// and who its peers are. It belongs to the elector's loop.
type outlook struct {
	// asks and reads are what is being watched now, and the functions end it.
	asks    *config.Takeover
	stopAsk context.CancelFunc
	reads   *peers.Source
	stopRd  context.CancelFunc

	// asked and read are true once there is an answer: until then the instance
	// does not start.
	asked, read bool
	found       []netip.Addr
	// trouble is why the peers cannot be read, "" where they can.
	trouble string
}

// waiting is whether something that the instance must know before it starts is not
// known yet.
func (in *instance) waiting() bool {
	return in.conf.Takeover != nil && !in.outlook.asked || in.conf.PeersFrom != nil && !in.outlook.read
}

// watchOutlook keeps what is asked and read for an instance as its configuration has
// it. What is configured as before goes on.
func (e *elector) watchOutlook(in *instance) {
	o := &in.outlook
	if !reflect.DeepEqual(o.asks, in.conf.Takeover) {
		o.endAsking()
		o.asks = in.conf.Takeover
		if o.asks != nil {
			o.stopAsk = watchFor(e, in, func(ctx context.Context, tell func(vrrp.Eligibility)) {
				reach.Watch(ctx, desired.Takeover(in.conf), tell)
			}, e.eligible)
		}
	}
	var source *peers.Source
	if in.conf.PeersFrom != nil {
		s := desired.PeerSource(in.conf)
		source = &s
	}
	if !reflect.DeepEqual(o.reads, source) {
		o.endReading()
		// Those found before are the peers until others have been read.
		o.reads = source
		if source != nil {
			o.stopRd = watchFor(e, in, func(ctx context.Context, tell func(peers.Found)) {
				peers.Watch(ctx, *source, tell)
			}, e.peersFound)
		}
	}
}

// watchFor runs a watch whose news go to the loop, where told takes them. What still
// comes after the watch has been ended counts for nothing.
func watchFor[T any](e *elector, in *instance, run func(context.Context, func(T)), told func(time.Time, *instance, T)) context.CancelFunc {
	ctx, cancel := context.WithCancel(e.life)
	go run(ctx, func(news T) {
		e.post(func(now time.Time) {
			if ctx.Err() == nil {
				told(now, in, news)
			}
		})
	})
	return cancel
}

func (o *outlook) endAsking() {
	if o.stopAsk != nil {
		o.stopAsk()
	}
	o.stopAsk, o.asks, o.asked = nil, nil, false
}

func (o *outlook) endReading() {
	if o.stopRd != nil {
		o.stopRd()
	}
	o.stopRd, o.reads, o.read = nil, nil, false
}

// eligible passes on whether an instance may take over.
func (e *elector) eligible(now time.Time, in *instance, news vrrp.Eligibility) {
	e.feed(now, in, news)
	if !in.outlook.asked {
		in.outlook.asked = true
		e.refreshOne(now, in)
	}
}

// peersFound takes the peers that were read, or why they were not. A list that cannot
// be read leaves the last one in force.
func (e *elector) peersFound(now time.Time, in *instance, f peers.Found) {
	in.outlook.read, in.outlook.found = true, f.Peers
	trouble := ""
	if f.Err != nil {
		trouble = f.Err.Error()
	}
	if trouble != in.outlook.trouble {
		ev := journal.Event{Area: journal.VRRP, Kind: "peers", Level: journal.Notice, Subject: in.conf.Name,
			Text: fmt.Sprintf("(%s) the peers can be read again", in.conf.Name)}
		if trouble != "" {
			ev.Level, ev.Text = journal.Warning, fmt.Sprintf("(%s) peers: %s; those known before stay", in.conf.Name, trouble)
		}
		e.journal.Add(ev)
	}
	in.outlook.trouble = trouble
	e.refreshOne(now, in)
}

// ownAddress is whether an address is on a link of this host.
func (e *elector) ownAddress(a netip.Addr) bool {
	for _, l := range e.links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// updatePeers gives a router its peers where they have changed.
func (e *elector) updatePeers(now time.Time, in *instance) {
	if in.conf.PeersFrom == nil {
		return
	}
	list := desired.Peers(in.conf, in.outlook.found, e.ownAddress)
	if slices.Equal(list, in.peers) {
		return
	}
	in.peers = list
	in.address()
	settings := in.settings(e.conf.Global)
	in.auth.Reconfigure(settings)
	in.observer.Configure(settings)
	e.feed(now, in, vrrp.Reconfigure{Config: settings})
	var names []string
	for _, p := range list {
		names = append(names, p.Addr.String())
	}
	e.journal.Add(journal.Event{Area: journal.VRRP, Kind: "peers", Level: journal.Notice, Subject: in.conf.Name,
		Text: fmt.Sprintf("(%s) %d unicast peers %v", in.conf.Name, len(names), names)})
}

// settings are the machine's, with the peers as they are now.
func (in *instance) settings(g config.Global) vrrp.Config {
	c := desired.Router(g, in.conf)
	c.StartupDelay = desired.StartupDelay(g, in.hostUp)
	c.Peers = in.peers
	return c
}
