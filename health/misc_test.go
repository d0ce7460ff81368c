package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Section 8: 0 is success, with misc_dynamic 2 to 255 are success with the
// weight less 2; anything else or a signal is failure.
func TestMiscExitStatus(t *testing.T) {
	tests := []struct {
		status  int
		dynamic bool
		err     string
		weight  int // -1 for none
	}{
		{0, false, "", -1},
		{1, false, "exited with status 1", -1},
		{2, false, "exited with status 2", -1},
		{128 + 9, false, "exited with status 137", -1},
		{255, false, "exited with status 255", -1},
		{0, true, "", -1},
		{1, true, "exited with status 1", -1},
		{2, true, "", 0},
		{12, true, "", 10},
		{255, true, "", 253},
		{128 + 9, true, "", 135},
		{256, true, "exited with status 256", -1},
		{-1, true, "exited with status -1", -1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d dynamic=%t", tt.status, tt.dynamic), func(t *testing.T) {
			want := Script{Args: []string{"/bin/check", "a b"}, UID: 7, GID: 8}
			exec := func(_ context.Context, s Script) (int, error) {
				if !slices.Equal(s.Args, want.Args) || s.UID != 7 || s.GID != 8 {
					t.Errorf("script %+v", s)
				}
				return tt.status, nil
			}
			r := NewMisc(MiscConfig{Script: want, Timeout: time.Second, Dynamic: tt.dynamic}, exec).Run(t.Context())
			wantErr(t, r.Err, tt.err)
			if r.Dynamic != (tt.weight >= 0) || r.Dynamic && r.Weight != tt.weight {
				t.Errorf("weight %d, dynamic %t; want %d", r.Weight, r.Dynamic, tt.weight)
			}
		})
	}
}

// A signal is no exit status: a script that the kernel kills for want of memory
// has failed, and gives its server no weight of 135.
func TestMiscSignal(t *testing.T) {
	killed := func(context.Context, Script) (int, error) {
		return -1, fmt.Errorf("script: %w", &SignalError{Signal: 9})
	}
	for _, dynamic := range []bool{false, true} {
		cfg := MiscConfig{Script: Script{Args: []string{"/s"}}, Timeout: time.Minute, Dynamic: dynamic}
		r := NewMisc(cfg, killed).Run(t.Context())
		wantErr(t, r.Err, "killed by signal 9")
		if r.Dynamic || errors.Is(r.Err, ErrNotAttempted) {
			t.Errorf("dynamic=%t: result %+v", dynamic, r)
		}
	}
}

// A script that outlives its timeout is ended and has failed; one that cannot
// be run has not.
func TestMiscTimeoutAndNoScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, _ Script) (int, error) {
			<-ctx.Done()
			return -1, ctx.Err()
		}
		cfg := MiscConfig{Script: Script{Args: []string{"/s"}}, Timeout: 3 * time.Second}
		r := NewMisc(cfg, slow).Run(t.Context())
		wantErr(t, r.Err, "timed out after 3s")
		if r.Took != 3*time.Second {
			t.Errorf("took %s, want 3s", r.Took)
		}
		missing := func(context.Context, Script) (int, error) { return -1, errors.New("no such file") }
		r = NewMisc(cfg, missing).Run(t.Context())
		wantErr(t, r.Err, "run /s: no such file: check could not be made")
		if !errors.Is(r.Err, ErrNotAttempted) {
			t.Errorf("error %v counts against the server", r.Err)
		}
	})
}

// Under the scheduler a hanging script fails by its timeout, and the interval
// counts from start to start.
func TestMiscScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		var starts []string
		exec := func(ctx context.Context, _ Script) (int, error) {
			starts = append(starts, fmt.Sprintf("%.0f", time.Since(r.start).Seconds()))
			if len(starts) == 2 {
				<-ctx.Done()
				return -1, ctx.Err()
			}
			time.Sleep(700 * time.Millisecond)
			return 0, nil
		}
		c := check(func(c *CheckConfig) {
			c.Kind, c.Retries = "MISC_CHECK", 0
			c.Check = NewMisc(MiscConfig{Script: Script{Args: []string{"/s"}}, Timeout: 2 * time.Second}, exec)
		})
		s := NewScheduler(r.handle)
		s.Apply([]ServiceConfig{fakeService("VS", c)})
		end := begin(s)
		time.Sleep(11 * time.Second)
		end()
		wantLines(t, "starts", starts, []string{"1", "4", "7", "10"})
		if want := "6 Misc check for [[192.0.2.1]:tcp:80 VS VS] by [/s] timed out with retry disabled."; !slices.Contains(r.take(), want) {
			t.Errorf("no line %q", want)
		}
	})
}
