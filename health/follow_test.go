package health

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Section 8 and keepalived 2.2.7, whose weights of a server of weight 5 these
// are, "-" for one that was removed; but that it takes a server with weight 0
// and reverse as good until the file first changes.
func TestFileValues(t *testing.T) {
	values := []int64{0, 1, 2, -1, -9, math.MaxInt32, math.MinInt32, 5, -7}
	tests := []struct {
		weight  int
		reverse bool
		want    string
	}{
		{3, false, "5 8 11 2 0 2147483647 - 20 0"},
		{1, false, "5 6 7 4 0 2147483647 - 10 0"},
		{-2, false, "5 3 1 7 23 - 2147483647 0 19"},
		{2, true, "5 3 1 7 23 - 2147483647 0 19"},
		{0, false, "5 - - - - - - - -"},
		{0, true, "- 5 5 5 5 5 5 5 5"},
		{2147483647, false, "5 2147483647 2147483647 0 - 2147483647 - 2147483647 -"},
	}
	for _, tt := range tests {
		source := NewSource("f")
		s := newSim(t, service(server(1, 5, CheckConfig{
			Kind: "FILE_CHECK", Check: NewFile(FileConfig{Source: source, Weight: tt.weight, Reverse: tt.reverse}),
		})))
		var got []string
		for _, v := range values {
			source.Set(v)
			s.observe(0)
			if srv := s.service.servers[0]; srv.Up() {
				got = append(got, fmt.Sprint(srv.Weight()))
			} else {
				got = append(got, "-")
			}
		}
		if all := strings.Join(got, " "); all != tt.want {
			t.Errorf("weight %d reverse=%t: %s, want %s", tt.weight, tt.reverse, all, tt.want)
		}
	}
}

// observe has the check of the first server look at what it follows.
func (s *sim) observe(check int) {
	s.t.Helper()
	c := s.service.Config().Servers[0]
	s.feed(CheckObserved{Server: s.service.servers[0].ref.Server, Check: check, Result: c.Checks[check].Check.Run(context.Background())})
}

// The lines are keepalived's; nothing is told of a first value that is good.
func TestFollowLines(t *testing.T) {
	file, session := NewSource("f2"), NewSource("b1")
	s := newSim(t, service(server(1, 5,
		CheckConfig{Kind: "FILE_CHECK", Check: NewFile(FileConfig{Source: file}), Retries: 3},
		CheckConfig{Kind: "BFD_CHECK", Check: NewBFD(session)},
	)))
	s.lines = nil
	s.observe(0)
	s.observe(1)
	wantPool(t, s, "1=5")
	file.Set(0)
	s.observe(0)
	file.Set(1)
	s.observe(0)
	file.Set(2)
	s.observe(0)
	wantPool(t, s, "")
	session.Set(0)
	s.observe(1)
	file.Set(0)
	s.observe(0)
	wantPool(t, s, "")
	session.Set(1)
	s.observe(1)
	wantPool(t, s, "1=5")
	wantLines(t, "lines", s.lines, []string{
		"0.0 ([192.0.2.1]:tcp:80): tracked file f2 now FAULT state",
		"0.0 Removing service [192.0.2.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
		"0.0 Lost quorum 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
		"0.0 BFD check of [b1] RS([192.0.2.1]:tcp:80) is DOWN",
		"0.0 ([192.0.2.1]:tcp:80): tracked file f2 leaving FAULT state",
		"0.0 BFD check of [b1] RS([192.0.2.1]:tcp:80) is UP",
		"0.0 Adding service [192.0.2.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
		"0.0 Gained quorum 1+0=1 <= 5 for VS [10.0.0.1]:tcp:80",
	})
	if d := s.service.Deadline(); !d.IsZero() {
		t.Errorf("a check that is told has a deadline, %s", d)
	}
}

// What a file adds stands beside what a script assigns.
func TestFileBesideMisc(t *testing.T) {
	source := NewSource("f")
	s := newSim(t, service(server(1, 10, check(func(c *CheckConfig) { c.Kind = "MISC_CHECK" }),
		CheckConfig{Kind: "FILE_CHECK", Check: NewFile(FileConfig{Source: source, Weight: 2})})))
	s.answer = func(time.Duration, StartCheck) Result { return Result{Weight: 4, Dynamic: true} }
	s.until(2 * time.Second)
	wantPool(t, s, "1=4")
	source.Set(3)
	s.observe(1)
	wantPool(t, s, "1=10")
	source.Set(-5)
	s.observe(1)
	wantPool(t, s, "1=0")
}

// A check that is not told of takes no notice of observations, nor does a
// server that is not there.
func TestObservedElsewhere(t *testing.T) {
	s := newSim(t, service(server(1, 5, check())))
	for _, in := range []CheckObserved{
		{Server: s.service.servers[0].ref.Server, Result: Result{Err: errDown}},
		{Server: s.service.servers[0].ref.Server, Check: 7, Result: Result{Err: errDown}},
		{Server: s.service.servers[0].ref.Server, Check: -1, Result: Result{Err: errDown}},
		{Result: Result{Err: errDown}},
	} {
		if out := s.feed(in); len(out) > 0 {
			t.Errorf("%+v gives %v", in, out)
		}
	}
	wantPool(t, s, "1=5")
}

// Under the scheduler a value takes effect when it is set, at the start what
// was set before, and after a reload or the end nothing that is gone is told.
func TestFollowScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		source, other := NewSource("f"), NewSource("g")
		cfg := func(src *Source, key string) ServiceConfig {
			return fakeService("VS", check(func(c *CheckConfig) {
				c.Kind, c.Key, c.Interval = "FILE_CHECK", key, time.Hour
				c.Check = NewFile(FileConfig{Source: src})
			}))
		}
		s := NewScheduler(r.handle)
		source.Set(1)
		s.Apply([]ServiceConfig{cfg(source, "f")})
		end := begin(s)
		step := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			wantLines(t, what, news(r.take()), want)
			time.Sleep(time.Second)
		}
		step("start", "0 Gained quorum 1+0=1 <= 1 for VS VS",
			"0 ([192.0.2.1]:tcp:80): tracked file f now FAULT state",
			"0 Removing service [192.0.2.1]:tcp:80 from VS VS", "0 Lost quorum 1-0=1 > 0 for VS VS")
		source.Set(0)
		step("good", "1 ([192.0.2.1]:tcp:80): tracked file f leaving FAULT state",
			"1 Adding service [192.0.2.1]:tcp:80 to VS VS", "1 Gained quorum 1+0=1 <= 1 for VS VS")
		source.Set(0)
		step("no news")
		s.Apply([]ServiceConfig{cfg(other, "g")})
		step("reload")
		source.Set(1)
		step("what is not followed any more")
		other.Set(1)
		step("the new one", "5 ([192.0.2.1]:tcp:80): tracked file g now FAULT state",
			"5 Removing service [192.0.2.1]:tcp:80 from VS VS", "5 Lost quorum 1-0=1 > 0 for VS VS")
		end()
		r.take()
		other.Set(0)
		step("after the end")
		if n := len(source.followers) + len(other.followers); n != 0 {
			t.Errorf("%d followers are left", n)
		}
	})
}

func TestFollowNames(t *testing.T) {
	f, b := NewFile(FileConfig{Source: NewSource("f")}), NewBFD(NewSource("b"))
	got := []string{f.String(), target(f), b.String(), target(b)}
	if want := []string{"FILE_CHECK f", "f", "BFD_CHECK b", "b"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	wantErr(t, f.Run(t.Context()).Err, "tracked file f has no value yet: check could not be made")
	wantErr(t, b.Run(t.Context()).Err, "bfd session b has no state yet: check could not be made")
}
