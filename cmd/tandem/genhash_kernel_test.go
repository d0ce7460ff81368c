//go:build kernel

package main

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestGenhashAsKeepalived runs keepalived's genhash and this one, by each of its
// names, with the same options: what they print where, and how they end, is the
// same, but for how long it took and the text of the usage.
func TestGenhashAsKeepalived(t *testing.T) {
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("host " + r.Host + ", agent " + r.UserAgent() + ", " + r.Proto + "\n"))
	}
	plain := httptest.NewServer(http.HandlerFunc(page))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(page))
	defer secure.Close()
	port := func(s *httptest.Server) string {
		_, port, err := net.SplitHostPort(s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	took := regexp.MustCompile(`= \d+ usecs`)
	usage := regexp.MustCompile(`(?s)Usage: genhash.*`)
	alike := func(s string) string {
		return usage.ReplaceAllString(took.ReplaceAllString(s, "= N usecs"), "Usage")
	}
	for _, args := range []string{
		"-s 127.0.0.1 -p PLAIN -u /",
		"-s 127.0.0.1 -p PLAIN -u /none -V www.example.org",
		"--server 127.0.0.1 --port=PLAIN --url / -P 1.1 -v",
		"-s127.0.0.1 -pPLAIN -u/ -P 1.0c -t 2",
		"-S -s 127.0.0.1 -p SECURE -u /",
		"-S -I -V www.example.org -s 127.0.0.1 -p SECURE -u /",
		"-S -s 127.0.0.1 -p PLAIN -u /",
		"-s 127.0.0.1 -p 1 -u /",
		"-s localhost -p 80 -u /",
		"-s 127.0.0.1 -p 99999 -u /",
		"-s 127.0.0.1 -p PLAIN -u / more",
		"-h", "",
	} {
		args := strings.Fields(strings.NewReplacer("PLAIN", port(plain), "SECURE", port(secure)).Replace(args))
		var out, err bytes.Buffer
		cmd := exec.Command("genhash", args...)
		cmd.Stdout, cmd.Stderr = &out, &err
		status := 0
		if e := cmd.Run(); e != nil {
			exit, ok := errors.AsType[*exec.ExitError](e)
			if !ok {
				t.Fatal(e)
			}
			status = exit.ExitCode()
		}
		for _, way := range []struct {
			name string
			args []string
		}{
			{"genhash", args},
			{"tandem", append([]string{"genhash"}, args...)},
			{"keepalived", append([]string{"--genhash"}, args...)},
			{"tandem", append([]string{"-T"}, args...)},
		} {
			p, stdout, stderr := newProgram(way.name)
			got := p.main(way.args)
			if got != status || alike(stdout.String()) != alike(out.String()) || alike(stderr.String()) != alike(err.String()) {
				t.Errorf("%s %v: status %d, %q, %q\nkeepalived's: %d, %q, %q", way.name, way.args, got, stdout, stderr, status, out.String(), err.String())
			}
		}
	}
}
