package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/vrrp"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key, a.pem = a.make("authority", nil)
	return a
}

func (a *authority) make(name string, key *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	must := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	if key == nil {
		var err error
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 83, 17, 5)}, BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// client is the TLS configuration of who has a certificate of that name.
func (a *authority) client(name string, trusts *authority) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(trusts.cert)
	conf := &tls.Config{RootCAs: pool}
	if name != "" {
		cert, key, _ := a.make(name, nil)
		conf.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	}
	return conf
}

// write puts a certificate and its key where the settings say.
func (a *authority) write(name string, api config.API) {
	a.t.Helper()
	_, key, cert := a.make(name, nil)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for path, b := range map[string][]byte{api.Certificate: cert, api.ClientCA: a.pem, api.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// Certificates decide who gets in, who may read and who may command; a listener
// that cannot be had is tried again, and a renewed certificate counts at once.
func TestListenerWithCertificates(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	api := config.API{
		Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca"),
		Read: []string{"viewer"}, Command: []string{"admin"},
	}
	// An address of its own: nobody else takes the port while it is free.
	taken, err := net.Listen("tcp", "127.83.17.5:0")
	if err != nil {
		t.Fatal(err)
	}
	api.Listen = netip.MustParseAddrPort(taken.Addr().String())
	a := richAgent()
	var server *Server
	serve(t, a, func(s *Server) { server, s.tcp.retry = s, 20*time.Millisecond })
	told := len(a.Journal().Events(0))
	waitFor := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			for _, e := range a.Journal().Events(uint64(told)) {
				if e.Kind == "api-listener" && strings.Contains(e.Text, text) {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("the journal does not tell of %q: %+v", text, a.Journal().Events(uint64(told)))
			}
		}
	}
	configure := func() {
		t.Helper()
		if err := server.Configure(api); err != nil {
			t.Fatal(err)
		}
	}
	configure()
	waitFor("certificate: open")
	ca.write("server one", api)
	configure()
	waitFor("address already in use")
	taken.Close()
	waitFor("listening at")

	ctx := context.Background()
	at := api.Listen.String()
	for _, c := range []struct {
		who             string
		conf            *tls.Config
		read, command   int
		failsAltogether bool
	}{
		{"admin", ca.client("admin", ca), 200, 200, false},
		{"viewer", ca.client("viewer", ca), 200, 403, false},
		{"nobody we know", ca.client("somebody", ca), 403, 403, false},
		{"without a certificate", ca.client("", ca), 0, 0, true},
		{"of another authority", stranger.client("admin", ca), 0, 0, true},
	} {
		client := NewRemoteClient(at, c.conf)
		_, readErr := client.Status(ctx)
		_, commandErr := client.Move(ctx, MoveRequest{Kind: vrrp.Switchover}, time.Minute)
		if c.failsAltogether {
			if readErr == nil || commandErr == nil {
				t.Errorf("%s: got in", c.who)
			}
			continue
		}
		if got := statusIn(readErr); got != c.read {
			t.Errorf("%s reads: %v", c.who, readErr)
		}
		if got := statusIn(commandErr); got != c.command {
			t.Errorf("%s commands: %v", c.who, commandErr)
		}
	}
	byAdmin := false
	for _, e := range a.Journal().Events(0) {
		byAdmin = byAdmin || e.Kind == "order" && e.By == "admin (certificate, from 127.0.0.1)"
	}
	if !byAdmin {
		t.Error("the journal does not tell that the admin commanded")
	}
	stranger.write("server two", api)
	if _, err := NewRemoteClient(at, stranger.client("admin", stranger)).Status(ctx); err != nil {
		t.Errorf("after the files were replaced: %v", err)
	}
	api.Listen = netip.AddrPort{}
	configure()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("it goes on listening")
		}
	}
}

// statusIn is the HTTP status that an error of a client tells of.
func statusIn(err error) int {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Status
	}
	if err != nil {
		return 0
	}
	return 200
}

func TestPolicy(t *testing.T) {
	process := func(uid uint32, groups ...uint32) Caller { return Caller{Name: "p", UID: uid, Groups: groups} }
	for _, c := range []struct {
		name          string
		p             policy
		who           Caller
		read, command bool
	}{
		{"open", policy{own: 5}, process(1000, 1000), true, true},
		{"root", policy{readers: []uint32{1}, commanders: []uint32{2}}, process(0), true, true},
		{"the agent's user", policy{own: 5, readers: []uint32{1}, commanders: []uint32{2}}, process(5, 5), true, true},
		{"a reader", policy{readers: []uint32{1}, commanders: []uint32{2}}, process(1000, 1000, 1), true, false},
		{"a commander", policy{readers: []uint32{1}, commanders: []uint32{2}}, process(1000, 1000, 2), true, true},
		{"neither", policy{readers: []uint32{1}, commanders: []uint32{2}}, process(1000, 1000), false, false},
		{"readers alone are named", policy{readers: []uint32{1}}, process(1000, 1), true, false},
		{"commanders alone are named", policy{commanders: []uint32{2}}, process(1000, 1000), true, false},
		{"a group that does not exist", policy{commanders: []uint32{}}, process(1000, 1000), true, false},
		{"any certificate", policy{}, Caller{Name: "x", Remote: "192.0.2.1"}, true, false},
		{"a certificate is no process", policy{own: 0}, Caller{Name: "x", Remote: "192.0.2.1", UID: 0}, true, false},
		{"not a reader", policy{readNames: []string{"y"}}, Caller{Name: "x", Remote: "192.0.2.1"}, false, false},
		{"who commands may read", policy{readNames: []string{"y"}, commandNames: []string{"x"}}, Caller{Name: "x", Remote: "192.0.2.1"}, true, true},
	} {
		if got := c.p.check(c.who, reading) == nil; got != c.read {
			t.Errorf("%s reads: %v", c.name, got)
		}
		if got := c.p.check(c.who, commanding) == nil; got != c.command {
			t.Errorf("%s commands: %v", c.name, got)
		}
	}
}

// askAs is set in the process that asks as another user.
const askAs = "TANDEM_TEST_ASK"

// TestPeerCredentials asks by the socket as other users, in other groups, which the
// kernel tells.
func TestPeerCredentials(t *testing.T) {
	if path := os.Getenv(askAs); path != "" {
		c := NewClient(path)
		_, read := c.Status(context.Background())
		_, command := c.Move(context.Background(), MoveRequest{Kind: vrrp.Switchover}, time.Minute)
		fmt.Printf("read %d command %d\n", statusIn(read), statusIn(command))
		return
	}
	if os.Geteuid() != 0 {
		// Who is not root can be himself alone, which TestRoundTrip is.
		t.Log("not root: only the own user is tried")
	}
	dir, err := os.MkdirTemp("", "tandem")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "test")
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, b, 0o755); err != nil {
		t.Fatal(err)
	}
	a := richAgent()
	path := filepath.Join(dir, "s")
	s, err := Listen(path, a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	if err := s.Configure(config.API{SocketMode: 0o666, SocketRead: []string{"40001"}, SocketCommand: []string{"40002", "no-such-group"}}); err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("a group that does not exist: %v", err)
	}
	try := func(uid, gid uint32, groups ...uint32) string {
		t.Helper()
		c := exec.Command(binary, "-test.run=^TestPeerCredentials$")
		c.Dir, c.Env = dir, []string{askAs + "=" + path}
		if os.Geteuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
		}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
	if got := try(uint32(os.Geteuid()), uint32(os.Getegid())); got != "read 200 command 200" {
		t.Errorf("the agent's own user: %s", got)
	}
	if os.Geteuid() != 0 {
		return
	}
	for _, c := range []struct {
		groups []uint32
		want   string
	}{
		{nil, "read 403 command 403"},
		{[]uint32{40001}, "read 200 command 403"},
		{[]uint32{7, 40002}, "read 200 command 200"},
	} {
		if got := try(65534, 65534, c.groups...); got != c.want {
			t.Errorf("in groups %v: %s, want %s", c.groups, got, c.want)
		}
	}
	if got := try(65534, 40002); got != "read 200 command 200" {
		t.Errorf("by its first group: %s", got)
	}
	var by []string
	for _, e := range a.Journal().Events(0) {
		if e.Kind == "order" || e.Kind == "order-forbidden" {
			by = append(by, e.Kind+" "+e.By)
		}
	}
	if text := strings.Join(by, "\n"); !strings.Contains(text, "order-forbidden nobody (uid 65534, process ") || !strings.Contains(text, "order nobody (uid 65534, ") {
		t.Errorf("the journal tells of %s", text)
	}
}
