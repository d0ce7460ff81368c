//go:build kernel

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// real is a server of Debian's that runs on a host from a folder of its own.
type real struct {
	t    *testing.T
	host *lab.Host
	dir  string
	args []string
	proc *lab.Process
}

// newReal makes a server's folder with these files and starts nothing. In files
// and arguments DIR is the folder and HOST the host's address.
func newReal(t *testing.T, h *lab.Host, files map[string]string, args ...string) *real {
	t.Helper()
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755)) // its processes run as other users
	}
	r := &real{t: t, host: h, dir: dir}
	for name, text := range files {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(r.put(text)), 0o644))
	}
	for _, a := range args {
		r.args = append(r.args, r.put(a))
	}
	t.Cleanup(func() {
		r.stop()
		if b, err := os.ReadFile(r.log()); err == nil && t.Failed() {
			t.Logf("%s on %s, its log's end:\n%s", args[0], h.Name, tail(string(b), 10))
		}
	})
	return r
}

func (r *real) put(text string) string {
	return strings.NewReplacer("DIR", r.dir, "HOST", r.host.IPv4().String()).Replace(text)
}

func (r *real) log() string { return filepath.Join(r.dir, "log") }

func (r *real) start() {
	r.t.Helper()
	p, err := r.host.Start(r.log(), nil, r.args...)
	must(r.t, err)
	r.proc = p
}

// stop ends the server, as a crash does.
func (r *real) stop() {
	if r.proc != nil {
		r.proc.Kill()
	}
}

// nginx serves what the text, which stands in the block http, says.
func nginx(t *testing.T, h *lab.Host, text string, files map[string]string) *real {
	t.Helper()
	all := map[string]string{"nginx.conf": `daemon off;
user root;
worker_processes 1;
pid DIR/pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
` + text + "}\n"}
	for name, file := range files {
		all[name] = file
	}
	return newReal(t, h, all, "nginx", "-e", "stderr", "-c", "DIR/nginx.conf")
}

// postfix is a mail server that takes no mail.
func postfix(t *testing.T, h *lab.Host) *real {
	t.Helper()
	r := newReal(t, h, map[string]string{
		"conf/main.cf": `compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = /dev/stdout
myhostname = mail.example.com
mydestination =
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_junk_command_limit = 10000
`,
		"conf/master.cf": `smtp inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`,
		// What postfix's own start script would make, in its time.
		"queue/pid/.made": "", "queue/private/.made": "", "queue/public/.made": "", "data/.made": "",
	}, "/usr/lib/postfix/sbin/master", "-d", "-c", "DIR/conf")
	owner, err := user.Lookup("postfix")
	must(t, err)
	uid, err := strconv.Atoi(owner.Uid)
	must(t, err)
	for _, name := range []string{"queue/private", "queue/public", "data"} {
		must(t, os.Chown(filepath.Join(r.dir, name), uid, -1))
	}
	return r
}

// unbound is a name server that knows www.example.com.
func unbound(t *testing.T, h *lab.Host) *real {
	t.Helper()
	return newReal(t, h, map[string]string{"unbound.conf": `server:
  interface: HOST
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "DIR"
  pidfile: ""
  use-syslog: no
  access-control: 0.0.0.0/0 allow
  module-config: "iterator"
  local-zone: "example.com." static
  local-data: "example.com. SOA ns.example.com. root.example.com. 1 3600 900 86400 300"
  local-data: "www.example.com. A 192.0.2.100"
  local-data: "www.example.com. A 192.0.2.101"
remote-control:
  control-enable: no
`}, "unbound", "-d", "-c", "DIR/unbound.conf")
}

// haproxy answers each request by itself.
func haproxy(t *testing.T, h *lab.Host) *real {
	t.Helper()
	return newReal(t, h, map[string]string{"haproxy.cfg": `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend all
  bind HOST:8080
  http-request return status 204
`}, "haproxy", "-db", "-f", "DIR/haproxy.cfg")
}

// certificate makes a key and a certificate for a name, as PEM.
func certificate(t *testing.T, name string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"key.pem": "", "cert.pem": ""}
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-subj", "/CN="+name, "-days", "2", "-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem")).CombinedOutput()
	if err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, out))
	}
	for file := range files {
		b, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		files[file] = string(b)
	}
	return files
}
