package desired

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-ha/tandem/health"
)

var (
	webOne = netip.MustParseAddrPort("192.0.2.21:80")
	webTwo = netip.MustParseAddrPort("192.0.2.22:80")
)

const web = "[192.0.2.10]:tcp:80"

func member(at netip.AddrPort, weight int) health.Member {
	return health.Member{Addr: at.Addr(), Port: at.Port(), Weight: weight}
}

// sameAddr lets cmp look into pools.
var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestOverridesOfPools(t *testing.T) {
	by := Override{Since: time.Unix(1, 0).UTC(), By: "root"}
	drain := func(at netip.AddrPort) ServerOverride { return ServerOverride{Service: web, Server: at, Drain: &by} }
	weigh := func(at netip.AddrPort, w int) ServerOverride {
		return ServerOverride{Service: web, Server: at, Weight: &WeightOverride{Override: by, Weight: w}}
	}
	both := weigh(webOne, 7)
	both.Drain = &by
	inhibited := member(webOne, 0)
	inhibited.Inhibited = true
	sorry := member(webOne, 1)
	sorry.Sorry = true
	for name, c := range map[string]struct {
		orders     []ServerOverride
		pool, want health.Pool
	}{
		"nothing":                      {nil, health.Pool{member(webOne, 3), member(webTwo, 2)}, health.Pool{member(webOne, 3), member(webTwo, 2)}},
		"drained":                      {[]ServerOverride{drain(webOne)}, health.Pool{member(webOne, 3), member(webTwo, 2)}, health.Pool{member(webOne, 0), member(webTwo, 2)}},
		"another weight":               {[]ServerOverride{weigh(webTwo, 9)}, health.Pool{member(webOne, 3), member(webTwo, 2)}, health.Pool{member(webOne, 3), member(webTwo, 9)}},
		"a drain goes before a weight": {[]ServerOverride{both}, health.Pool{member(webOne, 3)}, health.Pool{member(webOne, 0)}},
		"a failed one stays out":       {[]ServerOverride{weigh(webOne, 9)}, health.Pool{member(webTwo, 2)}, health.Pool{member(webTwo, 2)}},
		"an inhibited one stays so":    {[]ServerOverride{weigh(webOne, 9)}, health.Pool{inhibited}, health.Pool{inhibited}},
		"a sorry server is another":    {[]ServerOverride{drain(webOne)}, health.Pool{sorry}, health.Pool{sorry}},
	} {
		t.Run(name, func(t *testing.T) {
			var o Overrides
			for _, s := range c.orders {
				o = o.WithServer(s)
			}
			before := append(health.Pool(nil), c.pool...)
			got := o.Pools(map[string]health.Pool{web: c.pool, "other": {member(webOne, 5)}})
			if d := cmp.Diff(c.want, got[web], sameAddr); d != "" {
				t.Errorf("pool (-want +got):\n%s", d)
			}
			if d := cmp.Diff(before, c.pool, sameAddr); d != "" {
				t.Errorf("the pool given was changed:\n%s", d)
			}
			if got["other"][0].Weight != 5 {
				t.Error("another service is touched")
			}
		})
	}
	o := Overrides{}.WithServer(drain(webOne))
	if _, known := o.Pools(map[string]health.Pool{})[web]; known {
		t.Error("a pool that is not known yet is made up")
	}
}

// What is undone leaves nothing, and a value is never changed behind its owner.
func TestOverridesAreValues(t *testing.T) {
	by := Override{By: "root"}
	a := Overrides{}.WithServer(ServerOverride{Service: web, Server: webTwo, Drain: &by}).WithServer(ServerOverride{Service: web, Server: webOne, Drain: &by})
	b := a.WithServer(ServerOverride{Service: web, Server: webTwo})
	if len(a.Servers) != 2 || len(b.Servers) != 1 || b.Servers[0].Server != webOne || a.Servers[0].Server != webOne {
		t.Errorf("%+v, then %+v", a, b)
	}
	p := CheckPause{Service: web, Server: webOne, Kind: "HTTP_GET", Target: "x", Override: by}
	c := b.WithPause(p, true)
	d := c.WithPause(p, true)
	e := d.WithPause(p, false)
	if len(b.Checks) != 0 || len(c.Checks) != 1 || len(d.Checks) != 1 || len(e.Checks) != 0 {
		t.Errorf("%d %d %d %d pauses", len(b.Checks), len(c.Checks), len(d.Checks), len(e.Checks))
	}
	if _, paused := c.Paused(web, webOne, "TCP_CHECK", "x"); paused {
		t.Error("another kind of check is paused")
	}
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Overrides
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, back, sameAddr, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("through the file (-want +got):\n%s", d)
	}
}

func TestPausedChecks(t *testing.T) {
	services := []health.ServiceConfig{{Name: web, Servers: []health.ServerConfig{
		{Addr: webOne.Addr(), Port: 80, Checks: []health.CheckConfig{{Kind: "TCP_CHECK"}, {Kind: "HTTP_GET"}}},
		{Addr: webTwo.Addr(), Port: 80, Checks: []health.CheckConfig{{Kind: "HTTP_GET"}}},
	}}}
	var o Overrides
	if got := o.Pause(services); &got[0] != &services[0] {
		t.Error("without a pause the settings are copied")
	}
	o = o.WithPause(CheckPause{Service: web, Server: webOne, Kind: "HTTP_GET", Failed: true}, true)
	got := o.Pause(services)
	for i, s := range got[0].Servers {
		for j, c := range s.Checks {
			want := i == 0 && j == 1
			if c.Paused != want || c.PausedFailed != want {
				t.Errorf("check %d of server %d: paused %v as failed %v", j, i, c.Paused, c.PausedFailed)
			}
			if services[0].Servers[i].Checks[j].Paused {
				t.Error("the settings given were changed")
			}
		}
	}
}
