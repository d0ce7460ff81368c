package host

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// allNodes is the link-local all-nodes group (RFC 4291 2.7.1).
var allNodes = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 1})

var (
	broadcastMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodesMAC  = [6]byte{0x33, 0x33, 0, 0, 0, 1}
)

const (
	ethernetHeader = 14
	ipv6Header     = 40
)

// announcement is the Ethernet frame that announces addr from mac: a gratuitous
// ARP request, whose target hardware address is broadcast as keepalived's is, or
// an unsolicited Neighbour Advertisement to all nodes with the override flag
// (RFC 4861 7.2.6), and the router flag where the host forwards.
func announcement(addr netip.Addr, mac []byte, router bool) ([]byte, error) {
	if len(mac) != 6 {
		return nil, fmt.Errorf("announce %s: hardware address of %d bytes, only Ethernet's 6 are supported", addr, len(mac))
	}
	if addr.Is4() {
		return gratuitousARP(addr, mac)
	}
	return neighbourAdvertisement(addr, mac, router)
}

func gratuitousARP(addr netip.Addr, mac []byte) ([]byte, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, addr, broadcastMAC[:], addr)
	if err != nil {
		return nil, fmt.Errorf("gratuitous ARP for %s: %w", addr, err)
	}
	body, err := p.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("gratuitous ARP for %s: %w", addr, err)
	}
	return append(appendEthernet(nil, broadcastMAC, mac, unix.ETH_P_ARP), body...), nil
}

func neighbourAdvertisement(addr netip.Addr, mac []byte, router bool) ([]byte, error) {
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Router:        router,
		Override:      true,
		TargetAddress: addr,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: net.HardwareAddr(mac)}},
	}, addr, allNodes)
	if err != nil {
		return nil, fmt.Errorf("neighbour advertisement for %s: %w", addr, err)
	}
	b := appendEthernet(make([]byte, 0, ethernetHeader+ipv6Header+len(body)), allNodesMAC, mac, unix.ETH_P_IPV6)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, unix.IPPROTO_ICMPV6, ndp.HopLimit)
	b = append(b, addr.AsSlice()...)
	b = append(b, allNodes.AsSlice()...)
	return append(b, body...), nil
}

func appendEthernet(b []byte, dst [6]byte, src []byte, protocol uint16) []byte {
	b = append(b, dst[:]...)
	b = append(b, src...)
	return binary.BigEndian.AppendUint16(b, protocol)
}
