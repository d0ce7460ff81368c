package config

import (
	"net/netip"
	"time"
)

// TrackFile is a block track_file: a file whose number is tracked.
type TrackFile struct {
	Pos  Pos    `json:"-"`
	Name string `json:"name"`
	Path string `json:"path"`
	// Weight multiplies the number, 1 unless given; with 0 any number but 0 is
	// a fault. Reverse multiplies by -1.
	Weight  int  `json:"weight"`
	Reverse bool `json:"reverse,omitempty"`
	// Init makes the file at the start with the number InitValue where it is
	// missing; Overwrite writes it also where it is there.
	Init      bool  `json:"init,omitempty"`
	InitValue int64 `json:"init_value,omitempty"`
	Overwrite bool  `json:"overwrite,omitempty"`
}

// TrackProcess is a block vrrp_track_process: processes that are counted.
type TrackProcess struct {
	Pos  Pos    `json:"-"`
	Name string `json:"name"`
	// Process is the name or path, Params what has to follow it on its command
	// line.
	Process string   `json:"process"`
	Params  []string `json:"params,omitempty"`
	// Match is how Params are compared: "exact", "partial" where more may
	// follow, "initial" where the last may be longer too, empty for not at all.
	Match string `json:"match,omitempty"`
	// FullCommand compares the command line instead of the name that the
	// kernel has.
	FullCommand bool `json:"full_command,omitempty"`
	Weight      int  `json:"weight,omitempty"`
	Reverse     bool `json:"reverse,omitempty"`
	// Quorum is how many have to run, 1 unless given; QuorumMax how many may,
	// -1 for any number.
	Quorum    int `json:"quorum"`
	QuorumMax int `json:"quorum_max"`
	// ForkDelay and TerminateDelay are the times before a process that began,
	// or ended, counts.
	ForkDelay      time.Duration `json:"fork_delay,omitempty"`
	TerminateDelay time.Duration `json:"terminate_delay,omitempty"`
}

// BFDSession is a block bfd_instance.
type BFDSession struct {
	Pos       Pos        `json:"-"`
	Name      string     `json:"name"`
	Neighbour netip.Addr `json:"neighbour"`
	// Source is the near end; invalid is the kernel's choice.
	Source netip.Addr `json:"source,omitzero"`
	// MinRx and MinTx are the least times between packets received and sent,
	// 10 ms unless given; IdleTx is the time between packets while the session
	// is not up, 1 s unless given.
	MinRx  time.Duration `json:"min_rx"`
	MinTx  time.Duration `json:"min_tx"`
	IdleTx time.Duration `json:"idle_tx"`
	// Multiplier is how many packets may be missing, 5 unless given.
	Multiplier int `json:"multiplier"`
	// Passive waits for the neighbour to begin.
	Passive bool `json:"passive,omitempty"`
	// TTL is that of packets sent: 255 for IPv4 and 64 for IPv6 unless given.
	// MaxHops is how many hops a received one may have crossed, -1 for any.
	TTL     int `json:"ttl"`
	MaxHops int `json:"max_hops,omitempty"`
	// Multihop uses the port of RFC 5883, 4784, instead of 3784.
	Multihop bool `json:"multihop,omitempty"`
	// Weight is the default of those that track the session.
	Weight  int  `json:"weight,omitempty"`
	Reverse bool `json:"reverse,omitempty"`
	// VRRP and Checker say who is told of its changes.
	VRRP    bool `json:"vrrp"`
	Checker bool `json:"checker"`
}

// TrackGroup is a block track_group: instances that static addresses, routes and
// rules follow.
type TrackGroup struct {
	Pos       Pos      `json:"-"`
	Name      string   `json:"name"`
	Instances []string `json:"instances"`
}

// GARPGroup is a block garp_group: interfaces that share the spacing of their
// announcements.
type GARPGroup struct {
	Pos Pos `json:"-"`
	// ARP and NA are the least times between two gratuitous ARPs and two
	// unsolicited Neighbour Advertisements; 0 is not given.
	ARP        time.Duration `json:"arp,omitempty"`
	NA         time.Duration `json:"na,omitempty"`
	Interfaces []string      `json:"interfaces"`
}

// LinkDelay is a line of interface_up_down_delays: how long the link of an
// interface has to be down, or up, before it counts.
type LinkDelay struct {
	Pos       Pos           `json:"-"`
	Interface string        `json:"interface"`
	Down      time.Duration `json:"down,omitempty"`
	Up        time.Duration `json:"up,omitempty"`
}

// LinkPoll is a line of linkbeat_interfaces: an interface whose link is polled.
type LinkPoll struct {
	Pos       Pos    `json:"-"`
	Interface string `json:"interface"`
	// Method is "MII", "ETHTOOL", "IOCTL" or empty for any that works.
	Method string `json:"method,omitempty"`
}
