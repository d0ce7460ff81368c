//go:build kernel

package integration

import (
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ha/tandem/integration/lab"
)

// ready is the page that nginx serves, which the digest and the regex look at.
const ready = "The shop is open.\n"

// realServers are what runs on one of two hosts: nginx, haproxy, postfix, unbound.
func realServers(t *testing.T, h *lab.Host) []*real {
	t.Helper()
	web := nginx(t, h, `  default_type text/plain;
  server {
    listen 80;
    location = /ready { return 200 "`+strings.TrimSpace(ready)+`\n"; }
    location / { return 302 /ready; }
  }
  server {
    listen 443 ssl default_server;
    ssl_reject_handshake on;
  }
  server {
    listen 443 ssl;
    server_name secure.example.com;
    ssl_certificate DIR/cert.pem;
    ssl_certificate_key DIR/key.pem;
    location / { return 200 "secret\n"; }
  }
`, certificate(t, "secure.example.com"))
	return []*real{web, haproxy(t, h), postfix(t, h), unbound(t, h)}
}

// realChecks are the checks of those servers: port, protocol and block.
var realChecks = []struct{ port, protocol, check string }{
	{"80", "TCP", "HTTP_GET {\n      url {\n        path /\n        status_code 302\n      }\n%s    }"},
	{"80", "TCP", fmt.Sprintf("HTTP_GET {\n      url {\n        path /ready\n        digest %x\n      }\n%%s    }", md5.Sum([]byte(ready)))},
	{"80", "TCP", "HTTP_GET {\n      url {\n        path /ready\n        status_code 200\n        regex \"shop is (open|closing)\"\n      }\n%s    }"},
	{"443", "TCP", "SSL_GET {\n      enable_sni\n      url {\n        path /\n        virtualhost secure.example.com\n        status_code 200\n      }\n%s    }"},
	{"25", "TCP", "SMTP_CHECK {\n      helo_name lb.example.com\n%s    }"},
	{"53", "UDP", "DNS_CHECK {\n      type A\n      name www.example.com\n%s    }"},
	{"8080", "TCP", "HTTP_GET {\n      url {\n        path /\n        status_code 204\n      }\n%s    }"},
	{"8080", "TCP", "TCP_CHECK {\n%s    }"},
}

// realConf is a file with a virtual server for each check, whose first real
// server has this weight.
func realConf(weight int, l *lab.Lab) string {
	const timing = "      connect_timeout 5\n      retry 1\n      delay_before_retry 1\n      warmup 0\n"
	var b strings.Builder
	b.WriteString("global_defs {\n  router_id lvs\n}\n")
	for i, c := range realChecks {
		fmt.Fprintf(&b, "virtual_server 10.30.0.%d %s {\n  delay_loop 2\n  lvs_sched wrr\n  lvs_method NAT\n  protocol %s\n  sorry_server 10.9.7.7 %s\n", i+1, c.port, c.protocol, c.port)
		for j, rs := range []string{"rs1", "rs2"} {
			fmt.Fprintf(&b, "  real_server %s %s {\n    weight %d\n    %s\n  }\n", l.Host(rs).IPv4(), c.port, weight+j, fmt.Sprintf(c.check, timing))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// TestVerifyIPVSReal, which takes a minute and more where the kernel is emulated,
// has keepalived and tandem check the same servers, of each kind that
// Debian has: they leave and return, give way to the sorry server and come back,
// with the same table in both kernels each time.
func TestVerifyIPVSReal(t *testing.T) {
	t.Parallel()
	l := newLab(t, "lb1", "lb2", "rs1", "rs2")
	rs1, rs2 := realServers(t, l.Host("rs1")), realServers(t, l.Host("rs2"))
	run := func(all ...*real) {
		for _, r := range all {
			r.start()
		}
	}
	end := func(all ...*real) {
		for _, r := range all {
			r.stop()
		}
	}
	run(slices.Concat(rs1, rs2)...)
	conf := realConf(3, l)
	k := agent(t, l.Host("lb1"), "keepalived", conf)
	n := agent(t, l.Host("lb2"), "tandem", conf)
	start(t, k, n)
	// alike waits until both tables have a line of each kind for each check, and no other.
	alike := func(when string, kinds ...string) {
		t.Helper()
		var want []string
		for i, c := range realChecks {
			flag := map[string]string{"TCP": "-t", "UDP": "-u"}[c.protocol]
			put := strings.NewReplacer("SERVICE", fmt.Sprintf("%s 10.30.0.%d:%s", flag, i+1, c.port), "PORT", c.port,
				"RS1", l.Host("rs1").IPv4().String(), "RS2", l.Host("rs2").IPv4().String())
			for _, kind := range kinds {
				want = append(want, put.Replace(kind))
			}
		}
		slices.Sort(want)
		eventually(t, 2*patience, when, func() error {
			var errs []error
			for _, a := range []*lab.Agent{k, n} {
				got, err := table(a.Host)
				if err == nil && !slices.Equal(got, want) {
					err = fmt.Errorf("%s has\n  %s\nnot\n  %s", a.Host.Name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
	}
	const service, first, second = "-A SERVICE -s wrr", "-a SERVICE -r RS1:PORT -m -w 3", "-a SERVICE -r RS2:PORT -m -w 4"
	alike("at rest", service, first, second)
	end(rs1...)
	alike("with one host dead", service, second)
	end(rs2...)
	alike("with the quorum lost", service, "-a SERVICE -r 10.9.7.7:PORT -m -w 1")
	run(rs2...)
	alike("with the quorum back", service, second)
	run(rs1...)
	alike("with both back", service, first, second)
	for _, a := range []*lab.Agent{k, n} {
		must(t, a.Write(realConf(7, l)))
		must(t, a.Signal(syscall.SIGHUP))
	}
	alike("after a reload", service, "-a SERVICE -r RS1:PORT -m -w 7", "-a SERVICE -r RS2:PORT -m -w 8")
	must(t, errors.Join(k.Stop(patience), n.Stop(patience)))
	alike("after the end")
}
