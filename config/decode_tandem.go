package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
)

func tandemBlock(d *decoder, n *node) { d.body(n, "tandem") }

// apiBlock takes who may use the control interface. A listener that cannot tell
// who asks is none.
func apiBlock(d *decoder, n *node) {
	d.body(n, "tandem/api")
	a := &d.cfg.Tandem.API
	if !a.Listen.IsValid() && !a.Peer.IsValid() {
		return
	}
	for _, need := range []struct{ name, value string }{{"certificate", a.Certificate}, {"key", a.Key}, {"client_ca", a.ClientCA}} {
		if need.value == "" {
			d.fail("api-listen", of(n.Words[0]), "Add a line "+need.name+" FILE.", "listen and peer of api need %s; neither is used", need.name)
			a.Listen, a.Peer = netip.AddrPort{}, netip.AddrPort{}
			return
		}
	}
}

// listenTo takes the address of a listener.
func listenTo(place func(*Tandem) *netip.AddrPort) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		a, err := netip.ParseAddrPort(n.Words[1].Value)
		if err != nil || a.Port() == 0 {
			d.fail("invalid-address", of(n.Words[1]), "Write ADDRESS:PORT, of IPv6 [ADDRESS]:PORT.", "'%s' is no address with a port", n.Words[1].Value)
			return
		}
		*place(&d.cfg.Tandem) = a
	}
}

// apiFile takes the name of a file, below the folder of the configuration where
// it is no absolute path.
func apiFile(place func(*API) *string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		name := n.Words[1].Value
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(n.Words[1].pos().File), name)
		}
		*place(&d.cfg.Tandem.API) = name
	}
}

// apiNames takes one name or more; several lines add up.
func apiNames(place func(*API) *[]string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		p := place(&d.cfg.Tandem.API)
		for _, w := range n.Words[1:] {
			if !slices.Contains(*p, w.Value) {
				*p = append(*p, w.Value)
			}
		}
	}
}

func apiSocketMode(d *decoder, n *node) {
	v, err := strconv.ParseUint(n.Words[1].Value, 8, 32)
	if err != nil || v > 0o777 || v&0o600 != 0o600 {
		d.fail("invalid-value", of(n.Words[1]), "Write 0600, 0660 or 0666.", "'%s' is no mode of a socket that its owner can use", n.Words[1].Value)
		return
	}
	d.cfg.Tandem.API.SocketMode = int(v)
}
