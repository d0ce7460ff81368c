package vrrp

import "net/netip"

// Packet is a VRRP advertisement of version 2 or 3 (RFC 3768 5.1, RFC 9568 5.1)
// without its checksum, which belongs to the bytes.
type Packet struct {
	Version  uint8 `json:"version"`
	VRID     uint8 `json:"vrid"`
	Priority uint8 `json:"priority"`
	// Interval is the advert interval in centiseconds, as version 3 carries it
	// (12 bits); a version 2 packet's whole seconds are multiplied by 100.
	Interval uint16 `json:"interval"`
	// Auth is version 2 authentication data.
	Auth      Auth         `json:"auth,omitzero"`
	Addresses []netip.Addr `json:"addresses"`
	// OldChecksum says that the checksum of a unicast version 3 IPv4 packet is
	// computed as though it went to 224.0.0.18, as old keepalived releases do.
	// Parse sets it, Append honours it.
	OldChecksum bool `json:"old_checksum,omitempty"`
	// Authenticated says that an Authenticator found the packet to come from one
	// who has the key of AH or auth_hmac.
	Authenticated bool `json:"authenticated,omitempty"`
}

// Meta is what the IP layer says of a packet, needed to verify its checksum.
type Meta struct {
	Source, Destination netip.Addr
	// TTL is the TTL or hop limit, -1 where it is not known.
	TTL int
	// Unicast packets may have any TTL (RFC 9568 5.1.1.3 binds multicast only).
	Unicast bool
	// ChecksumV2Style accepts any checksum in a version 3 IPv4 packet.
	ChecksumV2Style bool
	// AH says that the IP protocol is 51, so that an IPsec authentication header
	// is before the packet; ID is the Identification of its IPv4 header.
	AH bool
	ID uint16

	// Fault is where a packet's fault is described, so that a flood of bad ones
	// allocates nothing; nil makes a new place for each.
	Fault *DropError
}

// Reason says why a packet was dropped. It is the label of the drop counters.
type Reason string

// The reasons, in the order in which they are tested.
const (
	DropLength           Reason = "length"
	DropTTL              Reason = "ttl"
	DropVersion          Reason = "version"
	DropHMACMissing      Reason = "hmac-missing"
	DropHMACMalformed    Reason = "hmac-malformed"
	DropHMACUnknownKey   Reason = "hmac-unknown-key"
	DropHMACInvalid      Reason = "hmac-invalid"
	DropHMACStale        Reason = "hmac-stale"
	DropHMACReplayed     Reason = "hmac-replayed"
	DropAuthType         Reason = "auth-type"
	DropAuthMismatch     Reason = "auth-mismatch"
	DropAuthFailed       Reason = "auth-failed"
	DropAHReplayed       Reason = "ah-replayed"
	DropInterval         Reason = "advert-interval"
	DropType             Reason = "type"
	DropChecksum         Reason = "checksum"
	DropMode             Reason = "unicast-multicast"
	DropOwner            Reason = "owner-ignores"
	DropUnicastSource    Reason = "unicast-source"
	DropUnicastTTL       Reason = "unicast-ttl"
	DropFamily           Reason = "family"
	DropAddressCount     Reason = "address-count"
	DropOwnAdvert        Reason = "own-advert"
	DropUnknownVRID      Reason = "unknown-vrid"
	DropNotParticipating Reason = "not-participating"
)
