package health

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// DNSConfig is a DNS_CHECK.
type DNSConfig struct {
	Connect Connect
	// Type is the type of record that is asked for, SOA by default; see DNSType.
	Type uint16
	// Name is what is asked for, the root by default.
	Name string
}

// DNSType is the number of a type of record that DNS_CHECK can ask for, and
// whether there is one of that name.
func DNSType(name string) (uint16, bool) {
	switch strings.ToUpper(name) {
	case "A":
		return uint16(dnsmessage.TypeA), true
	case "NS":
		return uint16(dnsmessage.TypeNS), true
	case "CNAME":
		return uint16(dnsmessage.TypeCNAME), true
	case "SOA":
		return uint16(dnsmessage.TypeSOA), true
	case "MX":
		return uint16(dnsmessage.TypeMX), true
	case "TXT":
		return uint16(dnsmessage.TypeTXT), true
	case "AAAA":
		return uint16(dnsmessage.TypeAAAA), true
	case "RRSIG":
		return 46, true
	case "DNSKEY":
		return 48, true
	}
	return 0, false
}

// NewDNS returns DNS_CHECK: one query over UDP, to be answered without an
// error. What the answer holds is not looked at. It fails for a name that is
// none.
func NewDNS(cfg DNSConfig) (Check, error) {
	if cfg.Type == 0 {
		cfg.Type = uint16(dnsmessage.TypeSOA)
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(cfg.Name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", cfg.Name, err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.Type(cfg.Type), Class: dnsmessage.ClassINET}},
	}
	query, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", cfg.Name, err)
	}
	return dnsCheck{cfg, query}, nil
}

type dnsCheck struct {
	cfg DNSConfig
	// query is the message but for its identifier.
	query []byte
}

// The header of a message, RFC 1035 section 4.1.1.
const (
	dnsHeader   = 12
	dnsResponse = 0x8000
	dnsRCode    = 0x000f
)

// Run makes one attempt.
func (d dnsCheck) Run(ctx context.Context) Result {
	start := time.Now()
	r := d.ask(ctx)
	r.Took = time.Since(start)
	return r
}

func (d dnsCheck) ask(ctx context.Context) Result {
	conn, err := d.cfg.Connect.dialUDP(ctx)
	if err != nil {
		return Result{Err: err}
	}
	defer func() { _ = conn.Close() }()
	id := uint16(rand.Uint32())
	query := append([]byte(nil), d.query...)
	binary.BigEndian.PutUint16(query, id)
	r := Result{Transcript: fmt.Sprintf("%s %s", dnsmessage.Type(d.cfg.Type), d.name())}
	x := datagrams{conn: conn, ctx: ctx, connect: d.cfg.Connect}
	r.Err = x.exchange(query, func(b []byte) (bool, error) {
		if len(b) < dnsHeader || binary.BigEndian.Uint16(b) != id {
			return false, nil
		}
		flags := binary.BigEndian.Uint16(b[2:])
		if flags&dnsResponse == 0 {
			return false, nil
		}
		code := dnsmessage.RCode(flags & dnsRCode)
		r.Transcript += fmt.Sprintf(" -> %s, %d answers", code, binary.BigEndian.Uint16(b[6:]))
		if code != dnsmessage.RCodeSuccess {
			return true, fmt.Errorf("%s%d (%s)", rcode, code, strings.TrimPrefix(code.String(), "RCode"))
		}
		return true, nil
	})
	return r
}

func (d dnsCheck) name() string {
	if d.cfg.Name == "" {
		return "."
	}
	return d.cfg.Name
}

// Target is the address that is asked.
func (d dnsCheck) Target() string { return d.cfg.Connect.named("udp") }

// String names the check for logs.
func (d dnsCheck) String() string { return "DNS_CHECK " + d.Target() }

// Limit leaves the timeout to the check.
func (d dnsCheck) Limit() time.Duration { return d.cfg.Connect.Timeout + longestTurn }
