//go:build browser

package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// browser is a Chromium that is driven by W3C WebDriver.
type browser struct {
	t       *testing.T
	session string
}

// newBrowser starts chromedriver and a window of that size, with or without
// scripts, and ends both with the test.
func newBrowser(t *testing.T, width, height int, scripts bool) *browser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	driver := exec.Command("chromedriver", fmt.Sprintf("--port=%d", port), "--silent")
	if err := driver.Start(); err != nil {
		t.Fatalf("chromedriver: %v (Debian's package chromium-driver)", err)
	}
	t.Cleanup(func() {
		_ = driver.Process.Kill()
		_ = driver.Wait()
	})
	b := &browser{t: t, session: fmt.Sprintf("http://127.0.0.1:%d", port)}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if r, err := http.Get(b.session + "/status"); err == nil {
			r.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("chromedriver does not answer")
		}
		time.Sleep(20 * time.Millisecond)
	}
	javascript := 1
	if !scripts {
		javascript = 2
	}
	var made struct {
		SessionID string `json:"sessionId"`
	}
	b.call("POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{
			"args": []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(), "--hide-scrollbars"},
			"mobileEmulation": map[string]any{"deviceMetrics": map[string]any{"width": width, "height": height, "pixelRatio": 1}},
			"prefs":           map[string]any{"profile.managed_default_content_settings.javascript": javascript},
		},
		"goog:loggingPrefs": map[string]string{"browser": "ALL"},
	}}}, &made)
	b.session += "/session/" + made.SessionID
	t.Cleanup(func() { b.call("DELETE", "", nil, nil) })
	return b
}

func (b *browser) call(method, path string, body, into any) {
	b.t.Helper()
	var content io.Reader
	if body != nil {
		j, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		content = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, b.session+path, content)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		b.t.Fatalf("%s %s: %s %s (%v)", method, path, r.Status, text, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, &struct{ Value any }{into}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(url string) { b.call("POST", "/url", map[string]string{"url": url}, nil) }

// run evaluates a script in the page.
func (b *browser) run(script string, into any) {
	b.t.Helper()
	b.call("POST", "/execute/sync", map[string]any{"script": script, "args": []any{}}, into)
}

// text is what the page shows.
func (b *browser) text() string {
	b.t.Helper()
	var element map[string]string
	b.call("POST", "/element", map[string]string{"using": "css selector", "value": "body"}, &element)
	var text string
	for _, id := range element {
		b.call("GET", "/element/"+id+"/text", nil, &text)
	}
	return text
}

// shows waits until the page shows all of it.
func (b *browser) shows(want ...string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		text, missing := b.text(), ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the page does not show %q:\n%s", missing, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// keep writes a picture of the window where somebody wants to look at it.
func (b *browser) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("TANDEM_ARTIFACTS")
	if dir == "" {
		return
	}
	var picture string
	b.call("GET", "/screenshot", nil, &picture)
	png, err := base64.StdEncoding.DecodeString(picture)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// fits fails where the page is wider than the window, and where the console has
// complaints, such as on the policy.
func (b *browser) fits() {
	b.t.Helper()
	var width []int
	b.run("return [document.documentElement.scrollWidth, window.innerWidth]", &width)
	if len(width) != 2 || width[0] > width[1] {
		b.t.Errorf("the width of the page and of the window: %d", width)
	}
	var log []struct{ Level, Message string }
	b.call("POST", "/se/log", map[string]string{"type": "browser"}, &log)
	for _, l := range log {
		if !strings.Contains(l.Message, "favicon") {
			b.t.Errorf("the console: %s %s", l.Level, l.Message)
		}
	}
}

// serve serves until end is called, or the test ends. httptest's server would
// wait for the page's stream.
func serve(t *testing.T, h http.Handler) (url string, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	end = func() { _ = server.Close() }
	t.Cleanup(end)
	return "http://" + l.Addr().String(), end
}

func never(*http.Request) bool { return false }

// TestBrowserIsLive shows what happens while somebody looks, leaves open what he
// has opened, and fits a desk and a phone.
func TestBrowserIsLive(t *testing.T) {
	for name, size := range map[string][2]int{"desk": {1280, 1400}, "phone": {390, 844}} {
		t.Run(name, func(t *testing.T) {
			s := newSample()
			url, end := serve(t, New(s, never))
			b := newBrowser(t, size[0], size[1], true)
			b.open(url)
			b.shows("tandem on lb1", "VI_1", "MASTER", "no advert for 3.61 s", "held by an operator", "interface eth2 down", "10.0.0.1:8080", "live")
			b.run("document.querySelector('details').open = true", nil)
			s.journal.Add(journal.Event{Kind: "state", Level: journal.Notice, Text: "(VI_1) Entering BACKUP STATE", Cause: "switchover by an operator"})
			b.shows("Entering BACKUP STATE", "switchover by an operator", "HTTP/1.1 200 OK")
			b.fits()
			b.keep("page-" + name)
			end()
			b.shows("connection lost")
		})
	}
}

// TestBrowserWithoutScripts shows a snapshot.
func TestBrowserWithoutScripts(t *testing.T) {
	url, _ := serve(t, New(newSample(), never))
	b := newBrowser(t, 1280, 900, false)
	b.open(url)
	b.shows("tandem on lb1", "a snapshot of", "VI_2", "BACKUP (held)", "Entering MASTER STATE")
}

// TestBrowserCommands sends an order as the command line does, once it was
// confirmed, and shows what came of it.
func TestBrowserCommands(t *testing.T) {
	orders := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/move", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("an order of type %q (%v)", r.Header.Get("Content-Type"), err)
		}
		orders <- string(body)
		fmt.Fprint(w, `{"outcomes":[{"instance":"VI_1","done":true,"state":"BACKUP (held)","text":"a peer has taken over"}]}`)
	})
	mux.Handle("/", New(newSample(), func(*http.Request) bool { return true }))
	url, _ := serve(t, mux)
	b := newBrowser(t, 1280, 900, true)
	b.open(url)
	b.shows("Switch over")
	b.run("setTimeout(() => document.querySelector('button[data-kind=switchover]').click())", nil)
	accept := func(want string) {
		t.Helper()
		var text string
		deadline := time.Now().Add(10 * time.Second)
		for {
			r, err := http.Get(b.session + "/alert/text")
			if err != nil {
				t.Fatal(err)
			}
			err = json.NewDecoder(r.Body).Decode(&struct{ Value *string }{&text})
			r.Body.Close()
			if r.StatusCode == 200 && err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing asks: %q", want)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !strings.Contains(text, want) {
			t.Errorf("it says %q, want %q", text, want)
		}
		b.call("POST", "/alert/accept", map[string]any{}, nil)
	}
	accept("switchover of VI_1?")
	if got := <-orders; got != `{"kind":"switchover","instances":["VI_1"]}` {
		t.Errorf("ordered %s", got)
	}
	accept("VI_1: done, BACKUP (held): a peer has taken over")
}
