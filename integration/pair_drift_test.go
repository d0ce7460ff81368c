//go:build kernel

package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// authority makes certificates for the hosts of a lab.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the lab"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{t, cert, key}
}

// api is the block api of an agent, with a certificate for its host in its folder.
func (c *authority) api(a *lab.Agent, peer *lab.Host) string {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(c.t, err)
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: a.Host.Name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{a.Host.IPv4().AsSlice()}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, c.cert, key.Public(), c.key)
	must(c.t, err)
	private, err := x509.MarshalECPrivateKey(key)
	must(c.t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: private}, "ca.pem": {Type: "CERTIFICATE", Bytes: c.cert.Raw},
	} {
		must(c.t, os.WriteFile(filepath.Join(a.Dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return fmt.Sprintf("@tandem tandem {\n@tandem   api {\n@tandem     listen %s:7070\n@tandem     certificate cert.pem\n@tandem     key key.pem\n"+
		"@tandem     client_ca ca.pem\n@tandem     peer %s:7070\n@tandem   }\n@tandem }\n", a.Host.IPv4(), peer.IPv4())
}

// TestPairDrift compares the configurations of two tandems by their listeners:
// what is each node's own is no difference, what should be the same is.
func TestPairDrift(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond, unicast: true}
	p := newPair(t, m, "tandem", "tandem")
	ca := newAuthority(t)
	first := m.conf(p.lb1.Host, p.lb2.Host, 150) + ca.api(p.lb1, p.lb2.Host)
	second := m.conf(p.lb2.Host, p.lb1.Host, 100) + ca.api(p.lb2, p.lb1.Host)
	must(t, p.lb1.Write(first))
	must(t, p.lb2.Write(second))
	p.lead()
	// The other's listener may come up after its instance.
	eventually(t, slack, "a pair that is alike", func() error {
		out, err := p.lb1.Ask("diff")
		if err == nil && !strings.Contains(out, "the same configuration") {
			err = errors.New(out)
		}
		return err
	})
	// An address that only one of them has.
	must(t, p.lb2.Write(strings.Replace(second, "192.0.2.100/24", "192.0.2.100/24\n    192.0.2.150/24", 1)))
	if _, err := p.lb2.Ask("reload"); err != nil {
		t.Fatal(err)
	}
	out, err := p.lb1.Ask("diff", p.lb2.Host.IPv4().String()+":7070")
	wantStatus(t, err, 2)
	if !strings.Contains(out, "192.0.2.150/24") || strings.Count(out, "\n") != 1 {
		t.Errorf("the difference is shown as\n%s", out)
	}
	// The node that has read its file anew compares at once, and says so.
	eventually(t, slack, "the drift in the status", func() error {
		out, err := p.lb2.Ask("status")
		if err == nil && !strings.Contains(out, "differs in 1 values") {
			err = errors.New(out)
		}
		return err
	})
	must(t, p.lb2.Stop(slack))
	_, err = p.lb1.Ask("diff")
	wantStatus(t, err, 1)
}
