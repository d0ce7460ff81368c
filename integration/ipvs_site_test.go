//go:build kernel

package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// siteHosts are in the order of the addresses that the examples have.
var siteHosts = []string{"lb1", "lb2", "proxy1", "proxy2", "cache1", "cache2", "app1", "app2", "dns", "client"}

// site is the site of the examples, as a client sees it.
type site struct {
	t        *testing.T
	lab      *lab.Lab
	lb1, lb2 *lab.Agent
	client   *lab.Host
	resolver *net.Resolver
}

// newSite starts all of it but the client.
func newSite(t *testing.T) *site {
	t.Helper()
	l := newLab(t, siteHosts...)
	s := &site{t: t, lab: l, client: l.Host("client")}
	read := func(name string) string {
		b, err := os.ReadFile("../examples/" + name)
		must(t, err)
		return string(b)
	}
	for _, name := range []string{"app1", "app2"} {
		_, err := l.Host(name).Serve(name, netip.AddrPortFrom(netip.IPv4Unspecified(), 80))
		must(t, err)
	}
	for _, name := range []string{"proxy1", "proxy2"} {
		h := l.Host(name)
		must(t, h.Sysctl("net/ipv4/conf/all/arp_ignore", "1", "net/ipv4/conf/all/arp_announce", "2"))
		must(t, h.IP("addr add 192.0.2.100/32 dev lo", "addr add 192.0.2.101/32 dev lo"))
		nginx(t, h, read("site-proxy.nginx"), nil).start()
	}
	for _, name := range []string{"cache1", "cache2"} {
		nginx(t, l.Host(name), strings.ReplaceAll(read("site-cache.nginx"), "/var/cache/nginx", "DIR"), nil).start()
	}
	unbound(t, l.Host("dns")).start()
	s.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = s.client.In(func() error {
			conn, err = new(net.Dialer).DialContext(ctx, "udp", netip.AddrPortFrom(l.Host("dns").IPv4(), 53).String())
			return err
		})
		return conn, err
	}}
	s.lb1 = agent(t, l.Host("lb1"), "tandem", read("site-lb1.conf"))
	s.lb2 = agent(t, l.Host("lb2"), "tandem", read("site-lb2.conf"))
	start(t, s.lb1, s.lb2)
	return s
}

// whole waits until each node has its address and both balance to both proxies.
func (s *site) whole() {
	s.t.Helper()
	a, b := netip.MustParseAddr("192.0.2.100"), netip.MustParseAddr("192.0.2.101")
	ctx := within(s.t, 2*patience)
	must(s.t, s.lb1.Host.Addresses.Wait(ctx, true, a))
	must(s.t, s.lb2.Host.Addresses.Wait(ctx, true, b))
	must(s.t, s.lb1.Host.Addresses.Wait(ctx, false, b))
	must(s.t, s.lb2.Host.Addresses.Wait(ctx, false, a))
	var want []string
	for _, vip := range []netip.Addr{a, b} {
		want = append(want, fmt.Sprintf("-A -t %s:80 -s rr", vip))
		for _, p := range []string{"proxy1", "proxy2"} {
			want = append(want, fmt.Sprintf("-a -t %s:80 -r %s:80 -g -w 1", vip, s.lab.Host(p).IPv4()))
		}
	}
	hasTable(s.t, s.lb1.Host, want...)
	hasTable(s.t, s.lb2.Host, want...)
	for _, p := range []string{"proxy1", "proxy2"} {
		s.sendsToAll(s.lab.Host(p))
	}
}

// sendsToAll waits until a proxy sends to each cache and each application server:
// nginx leaves those out for a while that have failed.
func (s *site) sendsToAll(proxy *lab.Host) {
	s.t.Helper()
	seen := map[string]bool{}
	eventually(s.t, patience, proxy.Name+" sends to all", func() error {
		_, header, err := s.ask(s.t.Context(), proxy.IPv4(), "/images/logo")
		if err != nil {
			return err
		}
		seen[header.Get("X-Cache-Host")] = true
		body, _, err := s.ask(s.t.Context(), proxy.IPv4(), "/")
		if err != nil {
			return err
		}
		seen[body] = true
		if len(seen) < 4 {
			return fmt.Errorf("so far to %v", seen)
		}
		return nil
	})
}

// ask makes one attempt at one of the site's addresses.
func (s *site) ask(ctx context.Context, addr netip.Addr, path string) (string, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.client.Dial(ctx, netip.AddrPortFrom(addr, 80))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://www.example.com"+path, nil)
	if err != nil {
		return "", nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", addr, resp.Status)
	}
	return string(b), resp.Header, err
}

// visit is what a client does: it takes the addresses from DNS, beginning with
// either, and tries the second where the first fails.
func (s *site) visit(ctx context.Context, number int, path string) (string, http.Header, error) {
	addrs, err := s.resolver.LookupNetIP(ctx, "ip4", "www.example.com.")
	if err != nil {
		return "", nil, err
	}
	if len(addrs) != 2 {
		return "", nil, fmt.Errorf("DNS has %v", addrs)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	if number%2 == 1 {
		slices.Reverse(addrs)
	}
	body, header, first := s.ask(ctx, addrs[0], path)
	if first == nil {
		return body, header, nil
	}
	body, header, err = s.ask(ctx, addrs[1], path)
	if err != nil {
		err = fmt.Errorf("%w, and before it %w", err, first)
	}
	return body, header, err
}

// visits has several clients at once visit the site and tells of each that failed.
func (s *site) visits(n int) {
	s.t.Helper()
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			for j, path := range []string{"/", "/images/logo"} {
				body, _, err := s.visit(s.t.Context(), i+j, path)
				if err == nil && body != "app1" && body != "app2" {
					err = fmt.Errorf("body %q", body)
				}
				if err != nil {
					s.t.Errorf("client %d, %s: %v", i, path, err)
				}
			}
		})
	}
	clients.Wait()
}

// TestVerifyIPVSSite, which takes more than a minute where the kernel is emulated,
// takes each host of the site away, one after the other: a
// client that tries a second time sees no error.
func TestVerifyIPVSSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.whole()
	s.visits(4)
	eventually(t, patience, "an image from the cache", func() error {
		_, header, err := s.visit(t.Context(), 0, "/images/logo")
		if err == nil && header.Get("X-Cache") != "HIT" {
			err = fmt.Errorf("X-Cache is %q", header.Get("X-Cache"))
		}
		return err
	})
	if _, header, err := s.visit(t.Context(), 0, "/"); err != nil || header.Get("X-Cache") != "" {
		t.Errorf("the start page came through the cache (%v)", err)
	}
	for _, victim := range siteHosts[:8] {
		t.Run(victim, func(t *testing.T) {
			one := *s
			one.t = t
			must(t, s.lab.Host(victim).Cut())
			one.visits(4) // while nobody has noticed yet
			one.visits(4)
			must(t, s.lab.Host(victim).Mend())
			one.whole()
		})
	}
}
