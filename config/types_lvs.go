package config

import (
	"net/netip"
	"time"
)

// LVS is what global_defs says of the kernel's IPVS as a whole.
type LVS struct {
	// Sync copies connections to the peer's kernel; nil is not.
	Sync *SyncDaemon `json:"sync,omitempty"`
	// Timeouts are set while the program runs and put back at its end.
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// FlushAtStart empties the whole table at the start (lvs_flush).
	FlushAtStart bool `json:"flush_at_start,omitempty"`
	// FlushAtStop is what is emptied at the end.
	FlushAtStop Flush `json:"flush_at_stop,omitempty"`
}

// Flush is what lvs_flush_on_stop empties.
type Flush string

// What is emptied at the end.
const (
	// FlushNothing deletes what is ours one by one.
	FlushNothing Flush = ""
	// FlushAll empties the table, services of others included.
	FlushAll Flush = "all"
	// FlushOurs deletes our services with all that is in them.
	FlushOurs Flush = "ours"
)

// SyncDaemon is lvs_sync_daemon. A value of 0, or an invalid address, leaves the
// choice to the kernel.
type SyncDaemon struct {
	Pos       Pos    `json:"-"`
	Interface string `json:"interface"`
	// Instance is the vrrp_instance whose state the daemon follows: it sends
	// while that is master and receives otherwise. Where it is empty, one
	// daemon of each kind runs.
	Instance string `json:"instance,omitempty"`
	// ID tells daemons apart, 0 to 255: the instance's VRID unless given, and 0
	// for the old lvs_sync_daemon_interface.
	ID int `json:"id"`
	// MaxLength is the most bytes of a packet, Port the UDP port and TTL that
	// of packets to Group.
	MaxLength int        `json:"max_length,omitempty"`
	Port      uint16     `json:"port,omitempty"`
	TTL       int        `json:"ttl,omitempty"`
	Group     netip.Addr `json:"group,omitzero"`
}

// Timeouts are those of IPVS connections in whole seconds; 0 leaves the
// kernel's.
type Timeouts struct {
	TCP    time.Duration `json:"tcp,omitempty"`
	TCPFin time.Duration `json:"tcp_fin,omitempty"`
	UDP    time.Duration `json:"udp,omitempty"`
}

// TLS is the block SSL: what SSL_GET shows to servers. The authorities in CA are
// loaded; keepalived verifies no server by them.
type TLS struct {
	Pos         Pos    `json:"-"`
	Password    string `json:"-"`
	CA          string `json:"ca,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// SMTPCheck is the part of SMTP_CHECK above the connection.
type SMTPCheck struct {
	// HELO is how the check greets, smtpchecker.keepalived.org unless given.
	HELO string `json:"helo"`
}

// DNSCheck is the part of DNS_CHECK above the connection, which is UDP.
type DNSCheck struct {
	// Type is the type asked for, by its name, SOA unless given; Name is the
	// name asked for, "." unless given.
	Type string `json:"type"`
	Name string `json:"name"`
}

// UDPCheck is the part of UDP_CHECK above the socket.
type UDPCheck struct {
	// Payload is what is sent; nil is an empty datagram.
	Payload HexBytes `json:"payload,omitempty"`
	// RequireReply fails the check where no answer comes. Otherwise it fails
	// only where the kernel is told that the port is unreachable.
	RequireReply bool `json:"require_reply,omitempty"`
	// Reply is what the answer has to begin with, in the bits that are set in
	// ReplyMask, which is as long; both are nil for any answer. The lengths are
	// compared only where there is a Reply.
	Reply     HexBytes `json:"reply,omitempty"`
	ReplyMask HexBytes `json:"reply_mask,omitempty"`
	// MinReply and MaxReply bound the length of an answer in bytes, 0 and 255
	// unless given.
	MinReply int `json:"min_reply,omitempty"`
	MaxReply int `json:"max_reply"`
}

// FileCheck is FILE_CHECK: the number in a tracked file times Weight is added to
// the server's weight.
type FileCheck struct {
	// TrackFile is the name of a Config.TrackFiles.
	TrackFile string `json:"track_file"`
	// Weight is that of the line or of the file; with 0 any number but 0 fails
	// the check. Reverse multiplies by -1.
	Weight  int  `json:"weight"`
	Reverse bool `json:"reverse,omitempty"`
}

// BFDCheck is BFD_CHECK: it fails while a session is down.
type BFDCheck struct {
	// Session is the name of a Config.BFD.
	Session string `json:"session"`
}

// Regex is what a url block asks of the body.
type Regex struct {
	// Pattern is in the syntax of PCRE2.
	Pattern string `json:"pattern"`
	// Options are PCRE2's compile options by keepalived's names: "caseless".
	Options []string `json:"options,omitempty"`
	// NoMatch fails where the pattern matches.
	NoMatch bool `json:"no_match,omitempty"`
	// MinOffset and MaxOffset bound where in the body, in bytes, a match may
	// begin; MaxOffset is -1 for no bound.
	MinOffset int `json:"min_offset,omitempty"`
	MaxOffset int `json:"max_offset"`
	// StackStart and StackMax size the stack of the search in bytes; 0 is the
	// library's choice.
	StackStart int `json:"stack_start,omitempty"`
	StackMax   int `json:"stack_max,omitempty"`
}
