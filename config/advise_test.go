package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// informed is a host that knows its networks and who may change its scripts.
type informed struct{ host }

func (informed) Subnets(name string) []netip.Prefix {
	if name != "eth0" {
		return nil
	}
	return []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("198.51.100.9/32"), netip.MustParsePrefix("fe80::7/64")}
}

func (informed) ScriptRisk(cmd Command) error {
	if strings.HasPrefix(cmd.Args[0], "/open/") {
		return errors.New("/open has mode 0777")
	}
	return nil
}

// TestAdvice gives each notice on what is legal and dangerous a file that it is
// for, and one that it is not for.
func TestAdvice(t *testing.T) {
	instance := func(lines string) string {
		return "vrrp_script S {\nscript \"/bin/check\"\nweight 5\n}\nvrrp_script Z {\nscript \"/bin/check\"\n}\n" +
			"vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.1\n}\n" + lines + "\n}\n"
	}
	const pass = "authentication {\nauth_type PASS\nauth_pass "
	tests := []struct {
		code      string
		with, not string
	}{
		{"auth-clear", instance(pass + "abc\n}"), instance("")},
		{"secret-cut", instance(pass + "abc!def\n}"), instance(pass + "abc !def\n}")},
		{"secret-cut", instance(pass + "abc#def\n}"), instance(pass + "abc\\#def\n}")},
		{"auth-pass-cut", instance(pass + "abcdefghi\n}"), instance(pass + "abcdefgh\n}")},
		{"advert-int", instance("advert_int 1.5"), instance("version 3\nadvert_int 1.5")},
		{"nopreempt-weight", instance("nopreempt\ntrack_script {\nS\n}"), instance("nopreempt\ntrack_script {\nZ\n}")},
		{"nopreempt-weight", instance("nopreempt\ntrack_interface {\neth1 weight 5\n}"), instance("track_interface {\neth1 weight 5\n}")},
		{"track-weight-served", instance("track_interface {\neth1 weight 5\n}\nvirtual_ipaddress_excluded {\n203.0.113.1 dev eth1\n}"),
			instance("track_interface {\neth1 weight 5\n}\nvirtual_ipaddress_excluded {\n203.0.113.1 dev eth1 no_track\n203.0.113.2 dev eth2\n}")},
		{"track-weight-served", instance("track_interface {\neth1 weight -5 reverse\n}\nvirtual_routes {\n10.0.0.0/8 dev eth1\n}"),
			instance("track_interface {\neth1 weight 0\n}\nvirtual_routes {\n10.0.0.0/8 dev eth1\n}")},
		{"track-weight-served", instance("virtual_rules {\niif eth1 table 9 preference 7\n}") + "vrrp_sync_group G {\ngroup {\nA\n}\nsync_group_tracking_weight\ntrack_interface {\neth1 weight 5\n}\n}\n",
			instance("virtual_rules {\niif eth1 table 9 preference 7 no_track\n}") + "vrrp_sync_group G {\ngroup {\nA\n}\nsync_group_tracking_weight\ntrack_interface {\neth1 weight 5\n}\n}\n"},
		{"nopreempt-master", instance("state MASTER\npriority 100\nnopreempt"), instance("state BACKUP\nnopreempt")},
		{"vip-subnet", instance("virtual_ipaddress_excluded {\n203.0.113.1\n}"), instance("virtual_ipaddress_excluded {\n203.0.113.1/24\n}")},
		{"vip-subnet", instance("virtual_ipaddress_excluded {\n203.0.113.1\n203.0.113.2\n}"), instance("virtual_ipaddress_excluded {\n203.0.113.1 dev eth1\n2001:db8::1\n}")},
		{"track-script-undefined", instance("track_script {\nX\n}"), instance("track_script {\nS\n}")},
		{"unicast-no-peer", instance("unicast_src_ip 192.0.2.7"), instance("unicast_src_ip 192.0.2.7\nunicast_peer {\n192.0.2.8\n}")},
		{"script-writable", instance("notify \"/open/notify\""), instance("notify \"/bin/notify\"")},
		{"script-writable", instance("notify \"/open/notify\""), "global_defs {\nenable_script_security\n}\n" + instance("notify \"/open/notify\"")},
		{"equal-masters", instance("state MASTER\n@east priority 90\n@west priority 90"), instance("state MASTER\n@east priority 90\n@west priority 80")},
		{"equal-masters", instance("@east state MASTER\n@^east state MASTER\npriority 90\n@west accept"), instance("@east state MASTER\n@west state BACKUP\npriority 90")},
	}
	for _, tt := range tests {
		for _, text := range []string{tt.with, tt.not} {
			_, ds := Parse("f", []byte(text), Options{ID: "east", Environment: informed{}})
			checkPlaces(t, text, ds)
			found := 0
			for _, d := range ds {
				if d.Code == tt.code {
					found++
					if d.Help == "" {
						t.Errorf("%v: no help", d)
					}
				}
			}
			if want := text == tt.with; want != (found == 1) {
				t.Errorf("%s: %d of them in\n%s\n%v", tt.code, found, text, ds)
			}
		}
	}
}
