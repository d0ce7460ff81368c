package vrrp

import (
	"net/netip"
	"time"
)

// Config is all that one virtual router must know of its configuration, with
// every default already resolved. It is a value: a Router keeps its own copy
// and takes a new one as the Reconfigure input.
type Config struct {
	// Name is the instance's name, used in outputs and nowhere on the wire.
	Name string `json:"name"`
	// VRID is the virtual router identifier, 1 to 255 (RFC 9568 5.2.3).
	VRID uint8 `json:"vrid"`
	// Version is the protocol version sent and accepted: 2 or 3.
	Version uint8 `json:"version"`
	// IPv6 is true where the adverts travel over IPv6.
	IPv6 bool `json:"ipv6,omitempty"`
	// Priority is the configured priority, 1 to 255; 255 is the address owner.
	Priority uint8 `json:"priority"`
	// StateMaster is true for "state MASTER": the address owner starts as master.
	// Below priority 255 it changes nothing here: preemption is resolved before
	// (Preempt, PreemptDelay).
	StateMaster bool `json:"state_master,omitempty"`
	// AdvertInterval is the time between our adverts: 10 ms to 40.95 s in steps
	// of 10 ms for version 3, whole seconds to 255 s for version 2.
	AdvertInterval time.Duration `json:"advert_interval"`
	// DownTimerAdverts is how many advert intervals without an advert make the
	// master count as gone; the RFC's value is 3.
	DownTimerAdverts int `json:"down_timer_adverts"`
	// Preempt is Preempt_Mode (RFC 9568 6.1).
	Preempt bool `json:"preempt"`
	// PreemptDelay is how long a lower master is tolerated before preemption.
	PreemptDelay time.Duration `json:"preempt_delay,omitempty"`
	// StartupDelay holds the timers back, and ignores adverts, after the start.
	StartupDelay time.Duration `json:"startup_delay,omitempty"`

	// Addresses are the VIPs that adverts carry, in order.
	Addresses []netip.Addr `json:"addresses"`
	// Excluded are the VIPs that move with the router but are not advertised.
	Excluded []netip.Addr `json:"excluded,omitempty"`

	// Detecting are the VIPs of either list whose duplicate address detection is
	// left on (RFC 4862 5.4): one of them must be gone before a peer adds it.
	Detecting []netip.Addr `json:"detecting,omitempty"`

	// SharedMAC is set where adverts leave from the virtual router's own Ethernet
	// address (RFC 9568 7.3), as those of the peers do: with a peer's advert the
	// switches send to it, and whatever we send after it turns them back.
	SharedMAC bool `json:"shared_mac,omitempty"`

	// Peers, if any, makes the router unicast: one copy of each advert a peer.
	Peers []Peer `json:"peers,omitempty"`
	// Unicast makes the router unicast while it has no Peers too, where they are
	// found out while it runs.
	Unicast bool `json:"unicast,omitempty"`
	// CheckSource drops unicast adverts that come from no configured peer.
	CheckSource bool `json:"check_source,omitempty"`
	// Group is the multicast destination of a router without Peers.
	Group netip.Addr `json:"group"`
	// Auth is the version 2 authentication.
	Auth Auth `json:"auth"`
	// HMAC is the authentication of auth_hmac, for any version; nil is none.
	HMAC *HMAC `json:"hmac,omitempty"`

	// LowerPrioNoAdvert keeps a master silent when it hears a worse master.
	LowerPrioNoAdvert bool `json:"lower_prio_no_advert,omitempty"`
	// HigherPrioSendAdvert sends one advert before yielding to a better master.
	HigherPrioSendAdvert bool `json:"higher_prio_send_advert,omitempty"`
	// OwnerIgnoreAdverts makes a priority 255 router ignore all adverts.
	OwnerIgnoreAdverts bool `json:"owner_ignore_adverts,omitempty"`
	// SkipCheckAddresses skips the comparison of address lists while the same
	// master goes on advertising.
	SkipCheckAddresses bool `json:"skip_check_addresses,omitempty"`
	// OldUnicastChecksum says when Packet.OldChecksum is used.
	OldUnicastChecksum OldChecksumMode `json:"old_unicast_checksum,omitempty"`
	// TimerExpiredBackup makes a backup of a master that was kept from running for
	// so long that a backup of this priority must have taken over; zero does not.
	TimerExpiredBackup uint8 `json:"timer_expired_backup,omitempty"`
	// ChecksumV2Style sends version 3 IPv4 adverts without the pseudo header in
	// the checksum and accepts any checksum in them.
	ChecksumV2Style bool `json:"checksum_v2_style,omitempty"`

	// Conditional makes becoming master depend on a condition, of which Eligibility
	// inputs tell; until the first one it counts as not met.
	Conditional bool `json:"conditional,omitempty"`
	// OfferIneligible has a master that loses the condition offer to its peers;
	// without it, it stays.
	OfferIneligible bool `json:"offer_ineligible,omitempty"`
	// Damping has a router that keeps losing its mastership stand back.
	Damping Damping `json:"damping,omitzero"`

	// Announcements are the repeats of gratuitous ARP and Neighbour Advertisement.
	Announcements Announcements `json:"announcements"`
}

// unicast is whether adverts go to peers and not to the group.
func (c *Config) unicast() bool { return c.Unicast || len(c.Peers) > 0 }

// Damping says when a router has lost its mastership too often: Flaps times within
// Window. It then takes any master for as long as Hold. Zero Flaps is never.
type Damping struct {
	Flaps  int           `json:"flaps"`
	Window time.Duration `json:"window"`
	Hold   time.Duration `json:"hold"`
}

// Peer is one unicast peer.
type Peer struct {
	Addr netip.Addr `json:"addr"`
	// MinTTL and MaxTTL bound the TTL or hop limit of adverts from this peer;
	// zero means no bound.
	MinTTL int `json:"min_ttl,omitempty"`
	MaxTTL int `json:"max_ttl,omitempty"`
}

// Auth is authentication as VRRP version 2 had it (RFC 2338 5.3.6).
type Auth struct {
	Type AuthType `json:"type,omitempty"`
	// Password is at most eight bytes on the wire, and as key of AuthAH.
	Password []byte `json:"password,omitempty"`
}

// AuthType is the Auth Type field of a version 2 packet.
type AuthType uint8

// The authentication types of RFC 2338.
const (
	AuthNone     AuthType = 0
	AuthPassword AuthType = 1
	AuthAH       AuthType = 2
)

// OldChecksumMode says which checksum unicast adverts of version 3 over IPv4 have.
type OldChecksumMode string

// The modes: auto sends the old one as soon as one was heard, on always. Both
// accept either; never sends and accepts the right one only.
const (
	OldChecksumAuto  OldChecksumMode = ""
	OldChecksumOn    OldChecksumMode = "on"
	OldChecksumNever OldChecksumMode = "never"
)

// HMAC is keepalived's auth_hmac: a signature behind each advert.
type HMAC struct {
	Keys []HMACKey `json:"keys"`
	// Active is the ID of the key that adverts are signed with.
	Active uint8    `json:"active"`
	Mode   HMACMode `json:"mode"`
	// Monotonic asks only that the stamps of a sender grow; else they must also be
	// within Window of our clock.
	Monotonic bool          `json:"monotonic,omitempty"`
	Window    time.Duration `json:"window,omitempty"`
}

// HMACKey is one shared secret, which stays out of JSON.
type HMACKey struct {
	ID     uint8  `json:"id"`
	Secret []byte `json:"-"`
}

// HMACMode says what happens to adverts without a signature.
type HMACMode string

// The modes: enforce drops adverts that are not signed. The others are for moving
// to it while all serve: permissive signs and accepts both, receive-only does not
// sign and accepts both. A signature that is there must be good in all of them.
const (
	HMACEnforce     HMACMode = "enforce"
	HMACPermissive  HMACMode = "permissive"
	HMACReceiveOnly HMACMode = "receive-only"
)

// Announcements says how often held addresses are announced.
type Announcements struct {
	// Repeat is the number of rounds on becoming master, at least 1.
	Repeat int `json:"repeat"`
	// Delay is the wait before a second burst of Repeat rounds; zero for none.
	Delay time.Duration `json:"delay,omitempty"`
	// Refresh is the period of the refreshing rounds; zero for none.
	Refresh time.Duration `json:"refresh,omitempty"`
	// RefreshRepeat is the number of rounds each Refresh.
	RefreshRepeat int `json:"refresh_repeat,omitempty"`
	// LowerPrioRepeat is the number of rounds after a worse master was heard;
	// zero for none. LowerPrioDelay later they are sent once more.
	LowerPrioRepeat int           `json:"lower_prio_repeat,omitempty"`
	LowerPrioDelay  time.Duration `json:"lower_prio_delay,omitempty"`
}
