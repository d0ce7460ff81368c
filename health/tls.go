package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"time"
)

// TLSOptions are what a check that speaks TLS has and wants beyond a handshake.
// Without any it takes whatever certificate the server has: it asks whether the
// server works, not who it is.
type TLSOptions struct {
	// Certificate and Key are PEM files with what is shown to a server that
	// asks for it; Password opens the key if it is encrypted. The key may stand
	// in the file of the certificate. The files are read again when they change.
	Certificate, Key, Password string
	// CA is a PEM file with the authorities that are trusted; without it the
	// system's are. It counts with Verify alone.
	CA string
	// Verify wants a certificate from a trusted authority that is for the
	// server, by VerifyName or, without that, the name sent in the handshake or
	// else the address.
	Verify     bool
	VerifyName string
	// ValidFor is how much longer the certificate must be valid, 0 for any: of
	// a chain that is verified every certificate, otherwise the server's own.
	ValidFor time.Duration
}

// tlsClient makes TLS connections as its options say.
type tlsClient struct {
	opts TLSOptions

	mu     sync.Mutex
	stamps [3]stamp
	own    *tls.Certificate
	roots  *x509.CertPool
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

func newTLSClient(opts TLSOptions) *tlsClient { return &tlsClient{opts: opts} }

// handshake begins TLS over a connection, with whatever version and cipher the
// server offers. The name is sent as the server's, if it is one.
func (c *tlsClient) handshake(ctx context.Context, conn *patient, name string, protocols ...string) (*tls.Conn, error) {
	own, roots, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrNotAttempted)
	}
	ctx, cancel := context.WithTimeout(ctx, conn.timeout)
	defer cancel()
	s := tls.Client(conn, &tls.Config{
		ServerName:         name,
		NextProtos:         protocols,
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS10,
		CipherSuites:       everyCipher(),
		Renegotiation:      tls.RenegotiateOnceAsClient,
		// OpenSSL, and so keepalived, shows its certificate whatever
		// authorities the server names.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil },
	})
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, conn.explain("tls handshake", err)
	}
	if name == "" {
		name = addressOf(conn)
	}
	if err := c.judge(s.ConnectionState().PeerCertificates, roots, name, time.Now()); err != nil {
		return nil, fmt.Errorf("tls certificate of %s: %w", conn.RemoteAddr(), err)
	}
	return s, nil
}

// judge says why a server's certificates are not as wanted.
func (c *tlsClient) judge(certs []*x509.Certificate, roots *x509.CertPool, name string, now time.Time) error {
	if !c.opts.Verify && c.opts.ValidFor == 0 {
		return nil
	}
	if len(certs) == 0 {
		return errors.New("there is none")
	}
	ends := certs[0].NotAfter
	if c.opts.Verify {
		if c.opts.VerifyName != "" {
			name = c.opts.VerifyName
		}
		between := x509.NewCertPool()
		for _, cert := range certs[1:] {
			between.AddCert(cert)
		}
		chains, err := certs[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now})
		if err != nil {
			return err
		}
		ends = lastEnd(chains)
	}
	if left := ends.Sub(now); left < c.opts.ValidFor {
		return fmt.Errorf("it expires in %s days, on %s, want %s",
			days(left), ends.UTC().Format(time.DateTime), days(c.opts.ValidFor))
	}
	return nil
}

// lastEnd is how long the best of the chains is valid: a chain is as long as
// all of its certificates are.
func lastEnd(chains [][]*x509.Certificate) time.Time {
	var last time.Time
	for _, chain := range chains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(last) {
			last = first.NotAfter
		}
	}
	return last
}

// days writes a duration in days, rounded down to a tenth.
func days(d time.Duration) string {
	return fmt.Sprint(math.Floor(d.Hours()/24*10) / 10)
}

// load returns what the files hold, read anew if one of them has changed.
func (c *tlsClient) load() (*tls.Certificate, *x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now [3]stamp
	for i, name := range []string{c.opts.Certificate, c.opts.Key, c.opts.CA} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, nil, fmt.Errorf("tls: %w", err)
		}
		now[i] = stamp{info.ModTime(), info.Size()}
	}
	if c.own != nil && now == c.stamps {
		return c.own, c.roots, nil
	}
	own, roots, err := c.read()
	if err != nil {
		return nil, nil, err
	}
	c.own, c.roots, c.stamps = own, roots, now
	return own, roots, nil
}

func (c *tlsClient) read() (*tls.Certificate, *x509.CertPool, error) {
	own, roots := &tls.Certificate{}, (*x509.CertPool)(nil)
	if c.opts.Certificate != "" {
		key := c.opts.Key
		if key == "" {
			key = c.opts.Certificate
		}
		pair, err := readKeyPair(c.opts.Certificate, key, c.opts.Password)
		if err != nil {
			return nil, nil, err
		}
		own = &pair
	}
	if c.opts.CA != "" {
		text, err := os.ReadFile(c.opts.CA)
		if err != nil {
			return nil, nil, fmt.Errorf("tls: %w", err)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, nil, fmt.Errorf("tls: no certificate in %s", c.opts.CA)
		}
	}
	return own, roots, nil
}

// addressOf is the address of the far end as certificates write it.
func addressOf(conn *patient) string {
	return netAddrPort(conn.RemoteAddr()).Addr().WithZone("").String()
}

// everyCipher lists all cipher suites that can be had for old servers; TLS 1.3
// has its own.
func everyCipher() []uint16 {
	var ids []uint16
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, c.ID)
	}
	return ids
}
