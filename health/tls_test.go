package health

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, validFor time.Duration) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{t: t, key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validFor),
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for a name or an address.
func (a authority) issue(name string, validFor time.Duration) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validFor),
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// file writes PEM blocks to a file.
func (a authority) file(name string, blocks ...*pem.Block) string {
	a.t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(a.t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func certBlock(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }

func keyBlock(t *testing.T, c tls.Certificate) *pem.Block {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
}

// counted counts what is read from a connection.
type counted struct {
	net.Conn
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}

// serveTLS answers abc to each request over TLS; farewell gets how many bytes
// came after that, and shown the certificate that the client showed.
func serveTLS(t *testing.T, cfg *tls.Config, farewell chan<- int, shown chan<- string) Connect {
	return listen(t, func(tcp *net.TCPConn) {
		c := &counted{Conn: tcp}
		s := tls.Server(c, cfg)
		if s.Handshake() != nil {
			return
		}
		readRequest(s)
		if shown != nil {
			name := ""
			if certs := s.ConnectionState().PeerCertificates; len(certs) > 0 {
				name = certs[0].Subject.CommonName
			}
			shown <- name
		}
		_, _ = io.WriteString(s, "HTTP/1.0 200 OK\r\n\r\nabc")
		_ = s.CloseWrite()
		before := c.n
		_, _ = s.Read(make([]byte, 1))
		if farewell != nil {
			farewell <- c.n - before
		}
	})
}

func getTLS(t *testing.T, c Connect, url HTTPURL, o TLSOptions) error {
	t.Helper()
	cfg := getting(c, url)
	cfg.TLS, cfg.TLSOptions = true, o
	return NewHTTP(cfg).Run(t.Context()).Err
}

// The certificate is a condition where the configuration makes it one.
func TestTLSVerify(t *testing.T) {
	const day = 24 * time.Hour
	a := newAuthority(t, 365*day)
	ca := a.file("ca.pem", certBlock(a.cert.Raw))
	other := a.file("other.pem", certBlock(newAuthority(t, day).cert.Raw))
	named := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue("www.example.com", 30*day)}}, nil, nil)
	byAddr := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue("127.0.0.1", 30*day)}}, nil, nil)
	expired := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue("www.example.com", -time.Minute)}}, nil, nil)
	short := newAuthority(t, 5*day)
	shortCA := a.file("short.pem", certBlock(short.cert.Raw))
	underShort := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{short.issue("www.example.com", 30*day)}}, nil, nil)
	const of = "tls certificate of 127.0.0.1:"
	www := HTTPURL{ServerName: "www.example.com"}
	tests := []struct {
		name string
		c    Connect
		url  HTTPURL
		o    TLSOptions
		want []string // what the error holds; none for success
	}{
		{"nothing is wanted", expired, www, TLSOptions{CA: other}, nil},
		{"good by the name sent", named, www, TLSOptions{Verify: true, CA: ca}, nil},
		{"good by another name", named, HTTPURL{}, TLSOptions{Verify: true, CA: ca, VerifyName: "www.example.com"}, nil},
		{"good by the address", byAddr, HTTPURL{}, TLSOptions{Verify: true, CA: ca}, nil},
		{"wrong name", named, HTTPURL{ServerName: "mail.example.com"}, TLSOptions{Verify: true, CA: ca}, []string{of, "not mail.example.com"}},
		{"wrong address", named, HTTPURL{}, TLSOptions{Verify: true, CA: ca}, []string{of, "127.0.0.1"}},
		{"other authority", named, www, TLSOptions{Verify: true, CA: other}, []string{of, "unknown authority"}},
		{"the system's authorities", named, www, TLSOptions{Verify: true}, []string{of, "unknown authority"}},
		{"expired", expired, www, TLSOptions{Verify: true, CA: ca}, []string{of, "expired"}},
		{"valid for long enough", named, www, TLSOptions{ValidFor: 29 * day}, nil},
		{"not for long enough", named, www, TLSOptions{ValidFor: 31 * day}, []string{of, "it expires in 29.9 days, on 20", "want 31"}},
		{"expired, not verified", expired, www, TLSOptions{ValidFor: time.Second}, []string{of, "it expires in -0.1 days"}},
		{"the authority's own end", underShort, www, TLSOptions{Verify: true, CA: shortCA, ValidFor: 6 * day}, []string{of, "it expires in 4.9 days"}},
		{"the authority's own end, not verified", underShort, www, TLSOptions{ValidFor: 6 * day}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := errText(getTLS(t, tt.c, tt.url, tt.o))
			for _, part := range tt.want {
				if !strings.Contains(err, part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if len(tt.want) == 0 && err != "" {
				t.Error(err)
			}
		})
	}
}

// The SSL block: what it names is shown to a server that asks, whomever that
// trusts, and read again when it changes.
func TestTLSClientCertificate(t *testing.T) {
	a := newAuthority(t, time.Hour)
	shown := make(chan string, 10)
	asking := &tls.Config{Certificates: []tls.Certificate{a.issue("s", time.Hour)}, ClientAuth: tls.RequestClientCert, ClientCAs: x509.NewCertPool()}
	c := serveTLS(t, asking, nil, shown)
	first, second := a.issue("first", time.Hour), a.issue("second.example", time.Hour)
	both := a.file("both.pem", certBlock(first.Certificate[0]), keyBlock(t, first))
	cert, key := a.file("cert.pem", certBlock(first.Certificate[0])), a.file("key.pem", keyBlock(t, first))
	for _, tt := range []struct {
		o    TLSOptions
		want string
	}{
		{TLSOptions{}, ""},
		{TLSOptions{Certificate: cert, Key: key}, "first"},
		{TLSOptions{Certificate: both}, "first"},
	} {
		wantErr(t, getTLS(t, c, HTTPURL{}, tt.o), "")
		if got := <-shown; got != tt.want {
			t.Errorf("%+v: shown %q, want %q", tt.o, got, tt.want)
		}
	}
	cfg := getting(c, HTTPURL{})
	cfg.TLS, cfg.TLSOptions = true, TLSOptions{Certificate: both}
	check := NewHTTP(cfg)
	for _, want := range []string{"first", "second.example"} {
		wantErr(t, check.Run(t.Context()).Err, "")
		if got := <-shown; got != want {
			t.Errorf("shown %q, want %q", got, want)
		}
		text := append(pem.EncodeToMemory(certBlock(second.Certificate[0])), pem.EncodeToMemory(keyBlock(t, second))...)
		if err := os.WriteFile(both, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty := a.file("empty.pem")
	for want, o := range map[string]TLSOptions{
		"tls: stat /nonexistent: no such file or directory: check could not be made": {Certificate: "/nonexistent"},
		"tls key " + empty + ": no private key in it: check could not be made":       {Certificate: cert, Key: empty},
		"tls: no certificate in " + empty + ": check could not be made":              {CA: empty},
	} {
		wantErr(t, getTLS(t, c, HTTPURL{}, o), want)
	}
}

// The keys were encrypted by OpenSSL 3 with the password secret, in the ways
// that it has had over the years.
func TestEncryptedKeys(t *testing.T) {
	files, err := filepath.Glob("testdata/key-*.pem")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	plain, err := os.ReadFile("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	want := parseKey(t, plain)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := openKey(text, []byte("secret"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !parseKey(t, opened).Equal(want) {
			t.Errorf("%s is another key", name)
		}
		if _, err := openKey(text, []byte("wrong")); err == nil {
			// One in 256 wrong passwords leaves a padding that looks right.
			t.Errorf("%s: a wrong password opens it", name)
		}
	}
	for want, text := range map[string]*pem.Block{
		"encrypted key: *": {Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("junk")},
	} {
		_, err := openKey(pem.EncodeToMemory(text), nil)
		wantErr(t, err, want)
	}
}

// parseKey reads a key from PEM in whatever form.
func parseKey(t *testing.T, text []byte) *ecdsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(text)
	if block.Type == "EC PRIVATE KEY" {
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// FuzzOpenKey: no file, however malformed, panics.
func FuzzOpenKey(f *testing.F) {
	for _, name := range []string{"key", "key-aes256", "key-traditional"} {
		text, err := os.ReadFile("testdata/" + name + ".pem")
		if err != nil {
			f.Fatal(err)
		}
		block, _ := pem.Decode(text)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		// A number of iterations of three bytes or more would take long.
		if bytes.Contains(der, []byte("\x02\x03")) || bytes.Contains(der, []byte("\x02\x04")) {
			return
		}
		_, _ = decryptPKCS8(der, []byte("x"))
	})
}

// Section 8: tls_compliant says farewell; without it the connection is closed.
func TestTLSCompliant(t *testing.T) {
	farewell := make(chan int, 1)
	a := newAuthority(t, time.Hour)
	c := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue("s", time.Hour)}}, farewell, nil)
	wantErr(t, getTLS(t, c, HTTPURL{TLSCompliant: true, Digest: abcDigest}, TLSOptions{}), "")
	if <-farewell == 0 {
		t.Error("the server heard no close_notify")
	}
	wantErr(t, getTLS(t, c, HTTPURL{Digest: abcDigest}, TLSOptions{}), "")
	if n := <-farewell; n != 0 {
		t.Errorf("the server heard %d bytes", n)
	}
}

// tandem's own: method, header and body of the request.
func TestHTTPOwnRequest(t *testing.T) {
	c := Connect{Addr: addressPort("192.0.2.1:80").Addr(), Port: 80}
	for _, tt := range []struct {
		protocol string
		url      HTTPURL
		want     string
	}{
		{"1.0", HTTPURL{Path: "/", Method: "HEAD"}, "HEAD / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 192.0.2.1:80\r\n\r\n"},
		{"1.1", HTTPURL{Path: "/p", Method: "POST", Body: []byte("a=b"), Header: []HTTPField{{"Content-Type", "text/plain"}}},
			"POST /p HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 192.0.2.1:80\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\na=b"},
		{"1.1", HTTPURL{Path: "/p", Host: "h", Header: []HTTPField{{"user-agent", "me"}, {"HOST", "other"}}},
			"GET /p HTTP/1.1\r\nConnection: close\r\nuser-agent: me\r\nHOST: other\r\n\r\n"},
	} {
		h := httpCheck{cfg: HTTPConfig{Connect: c, Protocol: tt.protocol}}
		if got := h.request(h.line(tt.url), tt.url); got != tt.want {
			t.Errorf("request %q\nwant    %q", got, tt.want)
		}
	}
}
