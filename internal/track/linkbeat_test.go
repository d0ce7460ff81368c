package track

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDebounce(t *testing.T) {
	now := time.Unix(1000, 0)
	d := Debounce{Rise: 2 * time.Second, Fall: time.Second}
	for _, tc := range []struct {
		after   time.Duration
		seen    bool
		changed bool
		up      bool
	}{
		{0, true, true, true},
		{0, false, false, true},
		{900 * time.Millisecond, true, false, true},
		{0, false, false, true},
		{900 * time.Millisecond, false, false, true},
		{100 * time.Millisecond, false, true, false},
		{0, true, false, false},
		{1999 * time.Millisecond, true, false, false},
		{time.Millisecond, true, true, true},
	} {
		now = now.Add(tc.after)
		if changed := d.Step(now, tc.seen); changed != tc.changed || d.Up() != tc.up {
			t.Fatalf("%v at %v: changed %v, up %v", tc.seen, now, changed, d.Up())
		}
	}
	fast := Debounce{}
	for i, seen := range []bool{false, true, false} {
		if !fast.Step(now, seen) {
			t.Errorf("change %d is delayed without a delay", i)
		}
	}
}

func TestLinkbeatPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		up := map[string]bool{"a": true, "b": false}
		asked := map[string]int{}
		var told []string
		l := NewLinkbeat(func(b Beat) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, b.Interface+map[bool]string{true: "+", false: "-"}[b.Up])
		})
		l.ask = func(c BeatConfig) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[c.Interface]++
			if c.Interface == "gone" {
				return true, errors.New("no such device")
			}
			return up[c.Interface], nil
		}
		expect := func(what, want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(told, " "); got != want {
				t.Fatalf("%s: told %q, want %q", what, got, want)
			}
			told = nil
		}
		set := func(name string, v bool) {
			mu.Lock()
			defer mu.Unlock()
			up[name] = v
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(time.Minute)
		expect("nothing to poll", "")
		l.Apply([]BeatConfig{{Interface: "a"}, {Interface: "b"}, {Interface: "gone"}})
		expect("first", "a+ b- gone-")
		time.Sleep(10 * time.Second)
		expect("nothing new", "")
		set("a", false)
		time.Sleep(1100 * time.Millisecond)
		expect("a lost", "a-")
		set("b", true)
		l.Hurry()
		expect("hurried", "b+")
		if n := asked["a"]; n < 10 || n > 20 {
			t.Errorf("asked %d times in 11 s", n)
		}
		cancel()
		<-done
	})
}

func TestFirstAnswer(t *testing.T) {
	refused := errors.New("operation not supported")
	var order []string
	ask := func(name string, up bool, err error) func() (bool, error) {
		return func() (bool, error) { order = append(order, name); return up, err }
	}
	methods := map[string]func() (bool, error){
		"MII": ask("MII", false, refused), "ETHTOOL": ask("ETHTOOL", true, nil), "IOCTL": ask("IOCTL", false, nil),
	}
	for prefer, want := range map[string]string{"": "MII ETHTOOL", "MII": "MII MII ETHTOOL", "ETHTOOL": "ETHTOOL", "IOCTL": "IOCTL"} {
		order = nil
		up, err := firstAnswer(prefer, methods)
		if got := strings.Join(order, " "); got != want || err != nil || up != (prefer != "IOCTL") {
			t.Errorf("%q: asked %s (want %s): %v, %v", prefer, got, want, up, err)
		}
	}
	if _, err := firstAnswer("", map[string]func() (bool, error){"MII": ask("MII", false, refused)}); !errors.Is(err, refused) {
		t.Errorf("no method: %v", err)
	}
}

// TestAskLoopback asks the kernel: the loopback has no PHY.
func TestAskLoopback(t *testing.T) {
	for _, m := range []string{"", "ETHTOOL", "IOCTL", "MII"} {
		if up, err := askLink(BeatConfig{Interface: "lo", Method: m}); err != nil || !up {
			t.Errorf("%q: lo is up: %v, %v", m, up, err)
		}
	}
	if up, err := askLink(BeatConfig{Interface: "tndabsent0"}); err == nil || up {
		t.Errorf("an interface that is not there: %v, %v", up, err)
	}
}
