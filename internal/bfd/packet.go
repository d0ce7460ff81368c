package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// State is a session's state, by its number on the wire (RFC 5880 4.1).
type State uint8

// The states.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String is the state as keepalived writes it.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *State) UnmarshalText(b []byte) error {
	for v := AdminDown; v <= Up; v++ {
		if v.String() == string(b) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("no state of BFD %q", b)
}

// Diag is why a session last left Up, by its number on the wire (RFC 5880 4.1).
type Diag uint8

// The reasons that this package gives.
const (
	DiagNone             Diag = 0
	DiagExpired          Diag = 1
	DiagNeighborDown     Diag = 3
	DiagAdministratively Diag = 7
)

// String is the reason as keepalived writes it.
func (d Diag) String() string {
	names := [...]string{
		"No Diagnostic", "Control Detection Time Expired", "Echo Function Failed", "Neighbor Signaled Session Down",
		"Forwarding Plane Reset", "Path Down", "Concatenated Path Down", "Administratively Down", "Reverse Concatenated Path Down",
	}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Packet is a control packet (RFC 5880 4.1), without the authentication section.
type Packet struct {
	Diag  Diag
	State State
	Poll  bool
	Final bool
	// ControlPlaneIndependent and Demand are flags that a neighbour may set; we
	// never do.
	ControlPlaneIndependent bool
	Demand                  bool
	// Multiplier is the detection multiplier, at least 1.
	Multiplier uint8
	// Mine and Yours are the sender's discriminator, not 0, and what it knows as
	// ours, 0 for nothing.
	Mine, Yours uint32
	// DesiredMinTx, RequiredMinRx and RequiredMinEcho are whole microseconds, at
	// most 2^32-1 of them.
	DesiredMinTx, RequiredMinRx, RequiredMinEcho time.Duration
}

// Length is the length of a packet without authentication, in bytes.
const Length = 24

const version = 1

// The flags of the second byte.
const (
	flagPoll        = 0x20
	flagFinal       = 0x10
	flagIndependent = 0x08
	flagAuth        = 0x04
	flagDemand      = 0x02
	flagMultipoint  = 0x01
)

// Why a packet is not valid, as RFC 5880 6.8.6 lists the reasons.
var (
	ErrVersion       = errors.New("not of version 1")
	ErrLength        = errors.New("length field does not fit the packet")
	ErrMultiplier    = errors.New("detection multiplier of 0")
	ErrMultipoint    = errors.New("multipoint flag set")
	ErrDiscriminator = errors.New("discriminator of 0")
	ErrAuth          = errors.New("authentication that is not configured")
	ErrPollFinal     = errors.New("both poll and final set")
)

// Parse reads a control packet. The error is one of those above: such a packet is
// to be passed over.
func Parse(b []byte) (Packet, error) {
	if len(b) < Length {
		return Packet{}, ErrLength
	}
	if b[0]>>5 != version {
		return Packet{}, ErrVersion
	}
	length, flags := int(b[3]), b[1]
	switch {
	case length < Length || length > len(b):
		return Packet{}, ErrLength
	case b[2] == 0:
		return Packet{}, ErrMultiplier
	case flags&flagMultipoint != 0:
		return Packet{}, ErrMultipoint
	case flags&flagAuth != 0:
		return Packet{}, ErrAuth
	case flags&flagPoll != 0 && flags&flagFinal != 0:
		return Packet{}, ErrPollFinal
	}
	p := Packet{
		Diag: Diag(b[0] & 0x1f), State: State(flags >> 6), Multiplier: b[2],
		Poll: flags&flagPoll != 0, Final: flags&flagFinal != 0,
		ControlPlaneIndependent: flags&flagIndependent != 0, Demand: flags&flagDemand != 0,
		Mine: binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: micros(b[12:]), RequiredMinRx: micros(b[16:]), RequiredMinEcho: micros(b[20:]),
	}
	if p.Mine == 0 || p.Yours == 0 && p.State != Down && p.State != AdminDown {
		return Packet{}, ErrDiscriminator
	}
	return p, nil
}

// Append appends the packet as it goes on the wire.
func (p Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, f := range []struct {
		set bool
		bit byte
	}{{p.Poll, flagPoll}, {p.Final, flagFinal}, {p.ControlPlaneIndependent, flagIndependent}, {p.Demand, flagDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.Multiplier, Length)
	b = binary.BigEndian.AppendUint32(b, p.Mine)
	b = binary.BigEndian.AppendUint32(b, p.Yours)
	b = binary.BigEndian.AppendUint32(b, uint32(p.DesiredMinTx/time.Microsecond))
	b = binary.BigEndian.AppendUint32(b, uint32(p.RequiredMinRx/time.Microsecond))
	return binary.BigEndian.AppendUint32(b, uint32(p.RequiredMinEcho/time.Microsecond))
}

func micros(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
