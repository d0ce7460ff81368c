package ipvs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// DaemonState is the part that a sync daemon plays (IP_VS_STATE_*).
type DaemonState uint32

// The parts of a sync daemon, with the kernel's numbers.
const (
	DaemonMaster DaemonState = 1 // sends connections
	DaemonBackup DaemonState = 2 // receives connections
)

// String is "master" or "backup".
func (s DaemonState) String() string {
	switch s {
	case DaemonMaster:
		return "master"
	case DaemonBackup:
		return "backup"
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// Daemon is a connection synchronisation daemon of the kernel. What is zero,
// State, Interface and SyncID apart, is left to the kernel's default.
type Daemon struct {
	State     DaemonState `json:"state"`
	Interface string      `json:"interface"`
	SyncID    uint32      `json:"sync_id"`
	// MaxLen is the most bytes that one message carries.
	MaxLen uint16 `json:"max_len,omitempty"`
	// Group and Port are where messages go; 224.0.0.81 and 8848 by default.
	Group netip.Addr `json:"group,omitzero"`
	Port  uint16     `json:"port,omitempty"`
	TTL   uint8      `json:"ttl,omitempty"`
}

// appendDaemon appends the DAEMON attribute.
func appendDaemon(b []byte, d Daemon) []byte {
	b, start := beginNest(b, attrDaemon)
	b = nlmsg.AppendUint32(b, daemonState, uint32(d.State))
	if d.Interface != "" {
		b = nlmsg.AppendString(b, daemonInterface, d.Interface)
	}
	b = nlmsg.AppendUint32(b, daemonSyncID, d.SyncID)
	if d.MaxLen != 0 {
		b = nlmsg.AppendUint16(b, daemonMaxLen, d.MaxLen)
	}
	switch {
	case d.Group.Is4():
		b = nlmsg.AppendAttr(b, daemonGroup, d.Group.AsSlice())
	case d.Group.Is6():
		b = nlmsg.AppendAttr(b, daemonGroup6, d.Group.AsSlice())
	}
	if d.Port != 0 {
		b = nlmsg.AppendUint16(b, daemonPort, d.Port)
	}
	if d.TTL != 0 {
		b = nlmsg.AppendUint8(b, daemonTTL, d.TTL)
	}
	return nlmsg.EndAttr(b, start)
}

// parseDaemon decodes the content of a DAEMON attribute.
func parseDaemon(b []byte) (Daemon, error) {
	var (
		d Daemon
		r reader
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case daemonState:
			d.State = DaemonState(r.u32(v))
		case daemonInterface:
			d.Interface = nlmsg.String(v)
		case daemonSyncID:
			d.SyncID = r.u32(v)
		case daemonMaxLen:
			d.MaxLen = r.u16(v)
		case daemonGroup:
			d.Group = netip.AddrFrom4([4]byte(r.take(v, 4)))
		case daemonGroup6:
			d.Group = netip.AddrFrom16([16]byte(r.take(v, 16)))
		case daemonPort:
			d.Port = r.u16(v)
		case daemonTTL:
			d.TTL = r.u8(v)
		}
		return r.err
	})
	if err != nil {
		return Daemon{}, fmt.Errorf("decode sync daemon: %w", err)
	}
	return d, nil
}

// Timeouts are how long idle connections are kept, in whole seconds. Zero, when
// set, leaves a timeout as it is.
type Timeouts struct {
	TCP    time.Duration `json:"tcp"`
	TCPFin time.Duration `json:"tcp_fin"`
	UDP    time.Duration `json:"udp"`
}

func appendTimeouts(b []byte, t Timeouts) []byte {
	b = nlmsg.AppendUint32(b, attrTimeoutTCP, uint32(t.TCP/time.Second))
	b = nlmsg.AppendUint32(b, attrTimeoutTCPFin, uint32(t.TCPFin/time.Second))
	return nlmsg.AppendUint32(b, attrTimeoutUDP, uint32(t.UDP/time.Second))
}

// parseTimeouts decodes the attributes of an answer to GET_CONFIG.
func parseTimeouts(b []byte) (Timeouts, error) {
	var (
		t Timeouts
		r reader
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case attrTimeoutTCP:
			t.TCP = time.Duration(r.u32(v)) * time.Second
		case attrTimeoutTCPFin:
			t.TCPFin = time.Duration(r.u32(v)) * time.Second
		case attrTimeoutUDP:
			t.UDP = time.Duration(r.u32(v)) * time.Second
		}
		return r.err
	})
	if err != nil {
		return Timeouts{}, fmt.Errorf("decode timeouts: %w", err)
	}
	return t, nil
}

// Info is what the kernel says of its IPVS.
type Info struct {
	// Version is the kernel's IPVS version, such as 1.2.1.
	Version [3]uint8 `json:"version"`
	// ConnectionTableSize is the number of buckets of the connection table.
	ConnectionTableSize uint32 `json:"connection_table_size"`
}

// parseInfo decodes the attributes of an answer to GET_INFO.
func parseInfo(b []byte) (Info, error) {
	var (
		i Info
		r reader
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case infoVersion:
			var p [4]byte
			binary.BigEndian.PutUint32(p[:], r.u32(v))
			i.Version = [3]uint8(p[1:])
		case infoConnTableSize:
			i.ConnectionTableSize = r.u32(v)
		}
		return r.err
	})
	if err != nil {
		return Info{}, fmt.Errorf("decode information: %w", err)
	}
	return i, nil
}
