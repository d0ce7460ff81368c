package config

import (
	"fmt"
	"strings"
	"testing"
)

// narrow is a host whose interfaces have an MTU.
type narrow struct {
	host
	mtu int
}

func (n narrow) MTU(string) int { return n.mtu }

// TestAdvertRoom compares how many addresses stay in an advert with what keepalived
// 2.2.7 says is the most for the same MTU.
func TestAdvertRoom(t *testing.T) {
	for _, c := range []struct {
		mtu, version int
		v6           bool
		more         string
		want         int
	}{
		{600, 3, false, "", 139},
		{601, 3, false, "", 139},
		{602, 3, false, "", 140},
		{700, 3, false, "", 164},
		{1500, 3, false, "", 255},
		{600, 2, false, "", 137},
		{602, 2, false, "", 138},
		{600, 2, false, "authentication {\nauth_type PASS\nauth_pass x\n}", 137},
		{600, 2, false, "authentication {\nauth_type AH\nauth_pass x\n}", 131},
		{600, 3, false, "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\n}", 132},
		{600, 3, false, "auth_hmac {\n}", 139},
		{1280, 3, true, "", 76},
		{1340, 3, true, "", 79},
		{1486, 2, true, "", 89},
		{1500, 3, true, "", 89},
		{1502, 2, true, "", 90},
		{0, 3, true, "", 255},
	} {
		var b strings.Builder
		fmt.Fprintf(&b, "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nversion %d\n%s\nvirtual_ipaddress {\n", c.version, c.more)
		for i := range 260 {
			if c.v6 {
				fmt.Fprintf(&b, "2001:db8::%x\n", i+1)
			} else {
				fmt.Fprintf(&b, "10.0.%d.%d\n", i/200, i%200)
			}
		}
		b.WriteString("}\n}\n")
		cfg, _ := Parse("f", []byte(b.String()), Options{Environment: narrow{mtu: c.mtu}})
		i := cfg.Instances[0]
		if len(i.Addresses) != c.want || len(i.Addresses)+len(i.Excluded) != 260 {
			t.Errorf("MTU %d, version %d, IPv6 %t, %q: %d addresses, %d excluded, want %d", c.mtu, c.version, c.v6, c.more, len(i.Addresses), len(i.Excluded), c.want)
		}
	}
}
