package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/desired"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/vrrp"
)

// instance is one VRRP instance while it runs: its machine, what it holds and
// what it is fed. It belongs to the elector's loop.
type instance struct {
	conf    *config.Instance
	router  *vrrp.Router
	company *company
	sending
	// id stays the same while the router does, whatever its name becomes.
	id string

	// extra waits for the next announcement of garp_extra_if.
	extra *time.Timer

	// hostUp is for how long the host had been up when the instance was made.
	hostUp time.Duration
	// peers are the unicast peers in force, and outlook what finds them out.
	peers   []vrrp.Peer
	outlook outlook

	// What the router was last told, so that it is told only changes.
	started  bool
	link     vrrp.LinkState
	priority uint8
	faults   []string
	// counted is what each tracked file added last while it was no fault.
	counted map[string]int
	// anchor is what the adverts are aligned to.
	anchor time.Time

	// held are the addresses that the router wants on the host, and serial the
	// last Acquire.
	held   map[netip.Addr]bool
	serial uint64

	// What follows from conf, worked out once: every address that the instance
	// may have, the link of each, those links, all that may come with it, and what
	// decides about its priority and faults.
	all      []host.Address
	on       map[netip.Addr]string
	carriers []string
	every    *desired.Holding
	trackers desired.Trackers

	// end is the word for the router's end: a stop, or a removal by a reload.
	end string

	// dampedUntil is what is kept of the end of damping.
	dampedUntil time.Time

	// margin is the least time that was left of Active_Down_Timer when an advert
	// came, since the instance last changed its state; watched is whether one did.
	margin  time.Duration
	watched bool
	jitter  jitter
	// observer looks for what breaks pairs.
	observer alarm.Observer
	// stopped is closed when the router has stopped.
	stopped chan struct{}
}

// instanceID names a router by what it is. It keys what outlives a process, so
// it must not change with the instance's name.
func instanceID(in *config.Instance) string {
	k := desired.KeyOf(in)
	family := 4
	if k.IPv6 {
		family = 6
	}
	id := fmt.Sprintf("%s/%d/ip%d", k.Interface, k.VRID, family)
	if k.VMAC {
		id += "/vmac"
	} else if k.IPVLAN {
		id += "/ipvlan"
	}
	if k.Unicast {
		id += fmt.Sprintf("/unicast/%s", k.Source)
	} else if k.Group.IsValid() {
		id += "/" + k.Group.String()
	}
	if k.VRF != "" {
		id += "/vrf/" + k.VRF
	}
	return id
}

// wanted is what the host should hold for the instance now.
func (in *instance) wanted(vrf desired.VRFTable) desired.Holding {
	return desired.Mastership(in.conf, in.router.Status().State == vrrp.Master, func(a netip.Addr) bool { return in.held[a] }, vrf)
}

// configure gives the instance its configuration, new or changed.
func (in *instance) configure(cfg *config.Config, conf *config.Instance, vrf desired.VRFTable) {
	in.conf = conf
	every := desired.All(conf, vrf)
	in.every = &every
	in.all = desired.Addresses(conf, func(netip.Addr) bool { return true })
	in.on = map[netip.Addr]string{}
	in.carriers = nil
	for _, a := range in.all {
		in.on[a.Prefix.Addr()] = a.Interface
		if !slices.Contains(in.carriers, a.Interface) {
			in.carriers = append(in.carriers, a.Interface)
		}
	}
	in.trackers = desired.TrackersOf(cfg, conf)
	if conf.PeersFrom == nil || len(in.peers) == 0 {
		in.peers = desired.Router(cfg.Global, conf).Peers
	}
	in.address()
}

// byLink sorts addresses by the interface that they live on. One that is no
// virtual address is the source of the adverts, on the instance's own interface.
func (in *instance) byLink(addrs []netip.Addr) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	for _, a := range addrs {
		name, virtual := in.on[a]
		if !virtual {
			name = in.conf.Interface
		}
		out[name] = append(out[name], a)
	}
	return out
}

// find gives the address of the instance that is on this interface.
func (in *instance) find(iface string, addr netip.Addr) (host.Address, bool) {
	for _, a := range in.all {
		if a.Interface == iface && a.Prefix.Addr() == addr {
			return a, true
		}
	}
	return host.Address{}, false
}

// dropped counts an advert that was not used.
func (in *instance) dropped(r vrrp.Reason) {
	if in.counters.Dropped == nil {
		in.counters.Dropped = map[vrrp.Reason]uint64{}
	}
	in.counters.Dropped[r]++
}

// stateName is the state as people write it, the operator's overrides included.
func stateName(s vrrp.Status) string {
	switch {
	case s.State == vrrp.Master && s.Offering:
		return "MASTER (offering)"
	case s.Hold:
		return s.State.String() + " (held)"
	case s.Maintenance && s.State != vrrp.Master:
		return s.State.String() + " (maintenance)"
	case !s.DampedUntil.IsZero():
		return s.State.String() + " (damped)"
	case s.Ineligible != "" && s.State == vrrp.Backup:
		return s.State.String() + " (may not take over)"
	case s.Forced:
		return s.State.String() + " (forced)"
	default:
		return s.State.String()
	}
}

// status is the instance as the control socket tells of it.
func (in *instance) status() control.InstanceStatus {
	s := in.router.Status()
	c := in.counters
	c.Dropped = nil
	for r, n := range in.counters.Dropped {
		if c.Dropped == nil {
			c.Dropped = map[vrrp.Reason]uint64{}
		}
		c.Dropped[r] = n
	}
	out := control.InstanceStatus{
		Status:       s,
		StateName:    stateName(s),
		Interface:    in.conf.Interface,
		VRID:         in.conf.VRID,
		Version:      in.conf.Version,
		BasePriority: in.conf.Priority,
		Interval:     in.conf.AdvertInterval,
		SyncGroup:    in.company.group.Name(),
		Counters:     c,
		DownMargin:   in.margin,
		Jitter:       in.jitter.report(),
	}
	for _, p := range in.peers {
		out.Peers = append(out.Peers, p.Addr)
	}
	for _, a := range in.conf.Addresses {
		out.Addresses = append(out.Addresses, a.Prefix)
	}
	for _, a := range in.conf.Excluded {
		out.Excluded = append(out.Excluded, a.Prefix)
	}
	out.Held = slices.Clone(s.Held)
	return out
}
