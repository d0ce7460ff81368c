package config

import (
	"net/netip"
	"time"
)

// Takeover is tandem's block takeover_requires: what must answer before a backup
// becomes master.
type Takeover struct {
	Pos     Pos              `json:"-"`
	Targets []TakeoverTarget `json:"targets"`
	// All asks every target to answer; else one is enough.
	All bool `json:"all,omitempty"`
	// Interval is the time between two attempts at a target: advert_int, but 0.1 to
	// 1 s, unless given. Timeout is how long it has to answer, 1 s unless given.
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	// Rise and Fall are how many answers, or failures, in sequence change what
	// counts of a target: 2 and 3 unless given.
	Rise int `json:"rise"`
	Fall int `json:"fall"`
	// Offer has a master that loses the condition offer to its peers (master
	// offer); else it stays.
	Offer bool `json:"offer,omitempty"`
}

// TakeoverTarget is one line ping or tcp.
type TakeoverTarget struct {
	Addr netip.Addr `json:"addr"`
	// Port is that of tcp, 0 for ping.
	Port int `json:"port,omitempty"`
}

// Damping is tandem's flap_damping: a router that lost its mastership Flaps times
// within Window leaves it to others for as long as Hold.
type Damping struct {
	Flaps  int           `json:"flaps"`
	Window time.Duration `json:"window"`
	Hold   time.Duration `json:"hold"`
}

// PeersFrom is tandem's block unicast_peers_from: where further unicast peers are
// read while the program runs. At least one of File and DNS is set.
type PeersFrom struct {
	Pos Pos `json:"-"`
	// File has one address a line.
	File string `json:"file,omitempty"`
	// DNS is a name, all of whose addresses of the instance's family are peers.
	DNS string `json:"dns,omitempty"`
	// Interval is the longest time between two look-ups; a record that lives for
	// less is looked up again sooner. 30 s unless given.
	Interval time.Duration `json:"interval"`
}

// Unicast is whether the instance's adverts go to peers and not to a group.
func (i *Instance) Unicast() bool { return len(i.Peers) > 0 || i.PeersFrom != nil }
