package health

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What keepalived 2.2.7 asked of a server with the urls a, b and c, delay_loop
// 2 s, delay_before_retry 1 s, retry 2: recorded as seconds and url, as seen by
// the server, whose b failed in the way that each case names.
func TestURLsAsKeepalived(t *testing.T) {
	const urls = "abc"
	nth := func(ns ...int) func(time.Duration, byte, int) bool {
		return func(_ time.Duration, url byte, n int) bool {
			for _, f := range ns {
				if url == 'b' && n == f {
					return true
				}
			}
			return false
		}
	}
	between := func(a, b time.Duration) func(time.Duration, byte, int) bool {
		return func(at time.Duration, url byte, _ int) bool { return url == 'b' && at >= a && at < b }
	}
	tests := []struct {
		name    string
		urls    string
		fast    bool
		alpha   bool
		delay   time.Duration
		fails   func(at time.Duration, url byte, n int) bool
		asked   string
		changes string
	}{
		{
			name: "one url each delay_loop; after a failure the failed url alone, then all again",
			urls: urls, fails: between(15*sec, 26500*time.Millisecond),
			asked:   "1a 3b 5c 7a 9b 11c 13a 15b 16b 17b 19b 21b 23b 25b 27b 29a 31b 33c 35a 37b",
			changes: "down@17.0 up@33.0",
		},
		{
			name: "fast_recovery: back to back at the start and while recovering",
			urls: urls, fast: true, fails: between(17*sec, 26500*time.Millisecond),
			asked:   "1a 1b 1c 3a 5b 7c 9a 11b 13c 15a 17b 18b 19b 21b 23b 25b 27b 27a 27b 27c 29a 31b 33c 35a 37b",
			changes: "down@19.0 up@27.0",
		},
		{
			name: "one url, delay_before_retry above delay_loop: while down the longer of the two; two successes",
			urls: "b", delay: 4 * sec, fails: between(7*sec, 25*sec),
			asked:   "1b 3b 5b 7b 11b 15b 19b 23b 27b 29b 31b 33b 35b 37b",
			changes: "down@15.0 up@29.0",
		},
		{
			name: "a failure that a retry makes good does not begin the round anew",
			urls: urls, fails: nth(2),
			asked: "1a 3b 5c 7a 9b 10b 12c 14a 16b 18c 20a 22b 24c 26a 28b 30c 32a 34b 36c 38a",
		},
		{
			name: "alpha and a failure in the first round",
			urls: urls, alpha: true, fails: nth(1),
			asked:   "1a 3b 5b 7a 9b 11c 13a 15b 17c 19a 21b 23c 25a 27b 29c 31a 33b 35c 37a",
			changes: "up@11.0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := check(func(c *CheckConfig) {
				c.Kind, c.Interval, c.Retries = "HTTP_GET", 2*sec, 2
				c.DelayBeforeRetry = max(tt.delay, sec)
				c.Alpha = tt.alpha
				c.Check = idle{traits: Traits{Steps: len(tt.urls), Fast: tt.fast, Confirm: true}}
			})
			s := newSim(t, service(server(1, 1, c)))
			var asked []string
			count := map[byte]int{}
			s.answer = func(at time.Duration, o StartCheck) Result {
				url := tt.urls[o.Step]
				count[url]++
				asked = append(asked, fmt.Sprintf("%.0f%c", at.Seconds(), url))
				if tt.fails(at, url, count[url]) {
					return Result{Err: fmt.Errorf("status 503, want 200")}
				}
				return Result{}
			}
			s.until(38500 * time.Millisecond)
			if got := strings.Join(asked, " "); got != tt.asked {
				t.Errorf("asked\n %s, keepalived\n %s", got, tt.asked)
			}
			if got := changes(s); got != tt.changes {
				t.Errorf("changes %q, want %q", got, tt.changes)
			}
		})
	}
}
