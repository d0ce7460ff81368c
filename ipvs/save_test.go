package ipvs_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs"
)

func TestTableTextIsIpvsadms(t *testing.T) {
	udp := with(tcp("[2001:db8::10]:53"), func(s *ipvs.Service) {
		s.Protocol, s.Scheduler, s.Engine = unix.IPPROTO_UDP, "rr", "sip"
		s.Flags, s.Timeout, s.Netmask = ipvs.FlagPersistent|ipvs.FlagOnePacket, time.Minute, 64
	})
	gue := func(d *ipvs.Destination) {
		d.Forward, d.TunnelType, d.TunnelPort, d.TunnelFlags = ipvs.Tunnel, 1, 6080, 1
	}
	limits := func(d *ipvs.Destination) { d.Forward, d.UpperThreshold, d.LowerThreshold = ipvs.Route, 10, 5 }
	got := table(
		entry(with(mark(4000000000), func(s *ipvs.Service) { s.IPv6 = true })),
		entry(udp, dest("[2001:db8::1]:53", 0)),
		entry(with(web, func(s *ipvs.Service) {
			s.Scheduler, s.Flags, s.Timeout, s.Netmask = "mh", ipvs.FlagPersistent|ipvs.FlagSched1|ipvs.FlagSched3, time.Hour, 20
		}), with(dest("10.0.0.2:80", 70000), limits), with(dest("10.0.0.1:80", 1), gue)),
	).String()
	want := `-A -t 192.0.2.10:80 -s mh -p 3600 -M 255.255.240.0 -b mh-fallback,flag-3
-a -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -g -w 70000 -x 10 -y 5
-A -u [2001:db8::10]:53 -s rr -p 60 -M 64 --pe sip -o
-a -u [2001:db8::10]:53 -r [2001:db8::1]:53 -m -w 0
-A -f 4000000000 -6 -s rr
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChangeIsTheSameAfterJSON(t *testing.T) {
	for _, c := range ipvs.Diff(table(entry(web, a)), table(entry(dns, b2), entry(web, b2)), all) {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again ipvs.Change
		if err := json.Unmarshal(b, &again); err != nil || again != c {
			t.Errorf("%v became %v, %v", c, again, err)
		}
	}
	var op ipvs.Op
	if err := op.UnmarshalText([]byte("")); err == nil {
		t.Error("an empty operation was taken")
	}
}
