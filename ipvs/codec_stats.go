package ipvs

import "fmt"

// Stats are the kernel's counters of a service or a destination.
type Stats struct {
	// Connections, packets and bytes are counted since the entry was added or
	// its counters were zeroed.
	Connections uint64 `json:"connections"`
	InPackets   uint64 `json:"in_packets"`
	OutPackets  uint64 `json:"out_packets"`
	InBytes     uint64 `json:"in_bytes"`
	OutBytes    uint64 `json:"out_bytes"`
	// The rates are the kernel's own estimates, for one second.
	ConnectionRate uint64 `json:"connection_rate"`
	InPacketRate   uint64 `json:"in_packet_rate"`
	OutPacketRate  uint64 `json:"out_packet_rate"`
	InByteRate     uint64 `json:"in_byte_rate"`
	OutByteRate    uint64 `json:"out_byte_rate"`
}

// DestinationStats are the counters of a destination with the connections that
// the kernel has for it now.
type DestinationStats struct {
	Stats
	Active     uint32 `json:"active"`
	Inactive   uint32 `json:"inactive"`
	Persistent uint32 `json:"persistent"`
}

// parseEitherStats decodes the 64-bit counters, or where an old kernel sends
// none the 32-bit ones.
func parseEitherStats(old, wide []byte) (Stats, error) {
	if wide == nil {
		return parseStats(old)
	}
	return parseStats(wide)
}

// parseStats decodes the content of a STATS or STATS64 attribute.
func parseStats(b []byte) (Stats, error) {
	var (
		s Stats
		r reader
	)
	err := eachAttr(b, func(typ uint16, v []byte) error {
		switch typ {
		case statsConns:
			s.Connections = r.counter(v)
		case statsInPackets:
			s.InPackets = r.counter(v)
		case statsOutPackets:
			s.OutPackets = r.counter(v)
		case statsInBytes:
			s.InBytes = r.counter(v)
		case statsOutBytes:
			s.OutBytes = r.counter(v)
		case statsConnRate:
			s.ConnectionRate = r.counter(v)
		case statsInPktRate:
			s.InPacketRate = r.counter(v)
		case statsOutPktRate:
			s.OutPacketRate = r.counter(v)
		case statsInByteRate:
			s.InByteRate = r.counter(v)
		case statsOutByteRate:
			s.OutByteRate = r.counter(v)
		}
		return r.err
	})
	if err != nil {
		return Stats{}, fmt.Errorf("decode counters: %w", err)
	}
	return s, nil
}
