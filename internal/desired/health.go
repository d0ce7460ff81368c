package desired

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
)

// Scripts runs the commands that a configuration names.
type Scripts struct {
	// Exec runs one.
	Exec health.Exec
	// Resolve finds a command's program and the identity that it runs under.
	Resolve func(config.Command) (health.Script, error)
}

// Sources are the values that checks follow, by the names of the configuration.
type Sources struct {
	// File is the number of a track_file, Session the state of a bfd_instance.
	File, Session func(name string) *health.Source
}

// ServiceMaker makes the settings of the health machines, and gives again what it
// made the last time of a virtual server that is the same as then. The zero value
// is ready for use, by one goroutine at a time.
type ServiceMaker struct {
	made map[*config.VirtualServer]health.ServiceConfig
}

// Services gives the health machines' settings of every virtual server, and
// what keeps a check from being made: such a check is left out, as keepalived
// leaves it out, and its server counts as up as far as that check goes.
func (m *ServiceMaker) Services(cfg *config.Config, scripts Scripts, sources Sources) ([]health.ServiceConfig, []error) {
	out := make([]health.ServiceConfig, 0, len(cfg.VirtualServers))
	var errs []error
	made := make(map[*config.VirtualServer]health.ServiceConfig, len(cfg.VirtualServers))
	for _, c := range companies(cfg.VirtualServers) {
		vs, faults := c[0], len(errs)
		if s, known := m.made[vs]; known {
			made[vs] = s
			out = append(out, s)
			continue
		}
		s := health.ServiceConfig{Name: vs.Checked(), Quorum: vs.Quorum, Hysteresis: vs.Hysteresis, Protocol: c.protocol()}
		servers := c.servers()
		s.Servers = make([]health.ServerConfig, 0, len(servers))
		for _, rs := range servers {
			at := rs.Checked()
			server := health.ServerConfig{Addr: at.Addr(), Port: at.Port(), Weight: rs.Weight, InhibitOnFailure: rs.InhibitOnFailure}
			for _, c := range rs.Checks {
				check, err := checkOf(c, cfg.TLS, scripts, sources)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				server.Checks = append(server.Checks, health.CheckConfig{
					Kind:             c.Kind,
					Check:            check,
					Key:              checkKey(c),
					Interval:         c.Interval,
					Retries:          c.Retries,
					DelayBeforeRetry: c.DelayBeforeRetry,
					Warmup:           c.Warmup,
					Alpha:            c.Alpha,
					LogAllFailures:   c.LogAllFailures,
				})
			}
			s.Servers = append(s.Servers, server)
		}
		if vs.Sorry != nil {
			s.Sorry = &health.SorryConfig{Addr: vs.Sorry.Addr, Port: vs.Sorry.Port, Inhibit: vs.Sorry.Inhibit}
		}
		out = append(out, s)
		if len(c) == 1 && len(errs) == faults && selfContained(vs) {
			made[vs] = s
		}
	}
	m.made = made
	return out, errs
}

// selfContained is true where the checks of a service depend on nothing but its
// own settings: on no script, no file of certificates and no tracker.
func selfContained(vs *config.VirtualServer) bool {
	for _, rs := range vs.RealServers {
		for _, c := range rs.Checks {
			switch c.Kind {
			case "TCP_CHECK", "HTTP_GET", "SMTP_CHECK", "DNS_CHECK", "UDP_CHECK", "PING_CHECK":
			default:
				return false
			}
		}
	}
	return true
}

// checkKey says what a check asks and of whom, leaving out when: a check that
// only changes its schedule goes on from where it was.
func checkKey(c *config.Check) string {
	if key := connectKey(c); key != "" {
		return key
	}
	what := *c
	what.Interval, what.Retries, what.DelayBeforeRetry, what.Warmup = 0, 0, 0, 0
	what.Alpha, what.LogAllFailures = false, false
	key, err := json.Marshal(what)
	if err != nil {
		// The type has nothing that cannot be marshalled.
		panic(err)
	}
	return string(key)
}

// connectKey is checkKey of a check that says no more than where it connects, the
// most frequent by far; "" for another.
func connectKey(c *config.Check) string {
	if c.Kind != "TCP_CHECK" && c.Kind != "PING_CHECK" {
		return ""
	}
	b := make([]byte, 0, 96)
	b = append(append(b, c.Kind...), ' ')
	b = netip.AddrPortFrom(c.Connect.Addr, c.Connect.Port).AppendTo(b)
	b = netip.AddrPortFrom(c.Connect.BindAddr, c.Connect.BindPort).AppendTo(append(b, ' '))
	b = append(append(b, ' '), c.Connect.BindInterface...)
	b = strconv.AppendUint(append(b, ' '), uint64(c.Connect.FWMark), 10)
	b = strconv.AppendInt(append(b, ' '), int64(c.Connect.Timeout), 10)
	return string(b)
}

func connect(c config.Connect) health.Connect {
	return health.Connect{
		Addr: c.Addr, Port: c.Port,
		BindAddr: c.BindAddr, BindPort: c.BindPort, BindInterface: c.BindInterface,
		FWMark: c.FWMark, Timeout: c.Timeout,
	}
}

func checkOf(c *config.Check, shown *config.TLS, scripts Scripts, sources Sources) (health.Check, error) {
	switch {
	case c.Misc != nil && c.Misc.Missing:
		return health.NewMissing(c.Misc.Command.Args[0]), nil
	case c.Misc != nil:
		s, err := scripts.Resolve(c.Misc.Command)
		if err != nil {
			return nil, err
		}
		return health.NewMisc(health.MiscConfig{Script: s, Timeout: c.Misc.Timeout, Dynamic: c.Misc.Dynamic}, scripts.Exec), nil
	case c.HTTP != nil:
		return httpCheck(c, shown)
	case c.GRPC != nil:
		return grpcCheck(c, shown), nil
	case c.Expect != nil:
		return expectCheck(c, shown)
	case c.SMTP != nil:
		return health.NewSMTP(health.SMTPConfig{Connect: connect(c.Connect), HeloName: c.SMTP.HELO}), nil
	case c.DNS != nil:
		kind, known := health.DNSType(c.DNS.Type)
		if !known {
			return nil, fmt.Errorf("%s: no type of record %q", c.Kind, c.DNS.Type)
		}
		return health.NewDNS(health.DNSConfig{Connect: connect(c.Connect), Type: kind, Name: c.DNS.Name})
	case c.UDP != nil:
		return health.NewUDP(udpCheck(c)), nil
	case c.File != nil:
		return health.NewFile(health.FileConfig{Source: sources.File(c.File.TrackFile), Weight: c.File.Weight, Reverse: c.File.Reverse}), nil
	case c.BFD != nil:
		return health.NewBFD(sources.Session(c.BFD.Session)), nil
	}
	switch c.Kind {
	case "TCP_CHECK":
		return health.NewTCP(connect(c.Connect)), nil
	case "PING_CHECK":
		return health.NewPing(connect(c.Connect)), nil
	}
	return nil, fmt.Errorf("%s: not a check that can be made yet", c.Kind)
}

func httpCheck(c *config.Check, shown *config.TLS) (health.Check, error) {
	h := health.HTTPConfig{
		Connect:      connect(c.Connect),
		TLS:          c.Kind == "SSL_GET",
		Protocol:     c.HTTP.Protocol,
		FastRecovery: c.HTTP.FastRecovery,
		EnableSNI:    c.HTTP.EnableSNI,
		SNIName:      c.HTTP.SNIName,
	}
	if h.TLS {
		h.TLSOptions = tlsOptions(shown, c.Certificate)
	}
	for _, u := range c.HTTP.URLs {
		url := health.HTTPURL{
			Path: u.Path, Host: u.Host, Digest: strings.ToLower(u.Digest),
			ServerName: u.ServerName, TLSCompliant: u.Compliant || c.HTTP.Compliant,
		}
		for _, r := range u.Status {
			url.Status = append(url.Status, health.StatusRange{First: r.First, Last: r.Last})
		}
		if u.Regex != nil {
			re := health.RegexConfig{Pattern: u.Regex.Pattern, NoMatch: u.Regex.NoMatch, Options: u.Regex.Options, MinOffset: u.Regex.MinOffset}
			if u.Regex.MaxOffset >= 0 {
				re.MaxOffset = &u.Regex.MaxOffset
			}
			var err error
			if url.Regex, err = health.CompileRegex(re); err != nil {
				return nil, fmt.Errorf("%s: %w", u.Path, err)
			}
		}
		if err := request(&url, u.Request); err != nil {
			return nil, fmt.Errorf("%s: %w", u.Path, err)
		}
		h.URLs = append(h.URLs, url)
	}
	return health.NewHTTP(h), nil
}

func udpCheck(c *config.Check) health.UDPConfig {
	u := health.UDPConfig{
		Connect: connect(c.Connect), Payload: c.UDP.Payload, RequireReply: c.UDP.RequireReply,
		MinLength: c.UDP.MinReply, MaxLength: c.UDP.MaxReply,
	}
	for i, b := range c.UDP.Reply {
		u.Reply = append(u.Reply, health.PatternByte{Value: b, Mask: c.UDP.ReplyMask[i]})
	}
	return u
}
