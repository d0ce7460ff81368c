package desired

import (
	"fmt"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/health"
)

// tlsOptions are what a check that speaks TLS shows, which the block SSL says,
// and what it asks of the server's certificate.
func tlsOptions(shown *config.TLS, asked *config.Certificate) health.TLSOptions {
	var o health.TLSOptions
	if shown != nil {
		o.Certificate, o.Key, o.Password, o.CA = shown.Certificate, shown.Key, shown.Password, shown.CA
	}
	if asked != nil {
		const day = 24 * time.Hour
		o.Verify, o.VerifyName, o.ValidFor = asked.Verify, asked.Name, time.Duration(asked.MinDays)*day
		if asked.CA != "" {
			o.CA = asked.CA
		}
	}
	return o
}

// talkOptions are the TLS of a check that may speak it, nil for none.
func talkOptions(t config.Talk, shown *config.TLS, asked *config.Certificate) *health.TLSOptions {
	if !t.TLS {
		return nil
	}
	o := tlsOptions(shown, asked)
	return &o
}

func grpcCheck(c *config.Check, shown *config.TLS) health.Check {
	return health.NewGRPC(health.GRPCConfig{
		Connect: connect(c.Connect), TLS: talkOptions(c.GRPC.Talk, shown, c.Certificate), ServerName: c.GRPC.Talk.ServerName,
		Service: c.GRPC.Service, Authority: c.GRPC.Authority,
	})
}

func expectCheck(c *config.Check, shown *config.TLS) (health.Check, error) {
	e := health.ExpectConfig{
		Connect: connect(c.Connect), TLS: talkOptions(c.Expect.Talk, shown, c.Certificate), ServerName: c.Expect.Talk.ServerName,
	}
	for _, s := range c.Expect.Steps {
		step := health.ExpectStep{Send: []byte(s.Send)}
		var err error
		if step.Expect, err = pattern(s.Expect); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Kind, err)
		}
		e.Steps = append(e.Steps, step)
	}
	return health.NewExpect(e), nil
}

// pattern compiles a regular expression, nil for none.
func pattern(text string) (*health.Regex, error) {
	if text == "" {
		return nil, nil
	}
	return health.CompileRegex(health.RegexConfig{Pattern: text})
}

// request gives a url what tandem's own keywords say of it.
func request(u *health.HTTPURL, r *config.Request) error {
	if r == nil {
		return nil
	}
	u.Method, u.Body = r.Method, []byte(r.Body)
	for _, f := range r.Header {
		u.Header = append(u.Header, health.HTTPField{Name: f.Name, Value: f.Value})
	}
	for _, f := range r.Expect {
		re, err := pattern(f.Value)
		if err != nil {
			return err
		}
		u.Want = append(u.Want, health.HTTPWant{Name: f.Name, Regex: re})
	}
	return nil
}
