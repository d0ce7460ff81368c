//go:build kernel

package sched

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// probe is the variable that makes the test binary schedule itself and tell,
// because tests of one process would disturb each other.
const probe = "TANDEM_TEST_SCHED"

func TestMain(m *testing.M) {
	if do := probes[os.Getenv(probe)]; do != nil {
		if err := do(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var probes = map[string]func() error{"policy": tellPolicy, "runaway": runAway, "swap": lockAll}

// run runs a probe and decodes what it told.
func run(t *testing.T, name string, into any) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^$")
	c.Env = append(os.Environ(), probe+"="+name)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, &stderr)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// account is what a probe tells of its threads and of its child.
type account struct {
	Threads, More []string
	Child         string
	Again         []string
	Put           []string
}

// threads tells how each thread is scheduled.
func threads() []string {
	var out []string
	// The error of a thread that has gone is none.
	_ = everyThread(func(id int) error {
		s, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			return err
		}
		var cpus unix.CPUSet
		if err := unix.SchedGetaffinity(id, &cpus); err != nil {
			return err
		}
		n, err := unix.Getpriority(unix.PRIO_PROCESS, id)
		if err != nil {
			return err
		}
		out = append(out, fmt.Sprintf("class %d priority %d nice %d cpus %d", s.Policy, s.Priority, 20-n, cpus.Count()))
		return nil
	})
	return out
}

// crowd makes the runtime need many threads at once.
func crowd(n int, during func()) {
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	during()
	close(release)
	done.Wait()
}

func tellPolicy() error {
	k, err := New()
	if err != nil {
		return err
	}
	first := 0
	for !k.own.cpus.IsSet(first) {
		first++
	}
	nice := -7
	var a account
	crowd(5, func() {
		err = k.Apply(Policy{Nice: &nice, RealTime: 2, RealTimeLimit: 5 * time.Second, CPUs: []int{first}})
		a.Threads = threads()
	})
	if err != nil {
		return err
	}
	crowd(20, func() { a.More = threads() })
	child := exec.Command("/bin/sh", "-c",
		`chrt -p $$; nice; grep Cpus_allowed_list /proc/self/status; grep -i "realtime timeout" /proc/self/limits; grep VmLck /proc/self/status`)
	runtime.LockOSThread()
	var out bytes.Buffer
	child.Stdout = &out
	if err := k.Child(child.Start); err != nil {
		return err
	}
	if err := child.Wait(); err != nil {
		return err
	}
	runtime.UnlockOSThread()
	a.Child = out.String()
	a.Again = threads()
	if err := k.Apply(Policy{}); err != nil {
		return err
	}
	a.Put = threads()
	return json.NewEncoder(os.Stdout).Encode(a)
}

func TestEveryThreadHasThePolicyAndNoChild(t *testing.T) {
	var a account
	run(t, "policy", &a)
	const want = "class 2 priority 2 nice -7 cpus 1"
	for what, list := range map[string][]string{"at once": a.Threads, "threads made later": a.More, "after a child": a.Again} {
		for _, s := range list {
			if s != want {
				t.Errorf("%s: a thread has %s, want %s", what, s, want)
			}
		}
	}
	if len(a.More) < 20 || len(a.Threads) < 5 {
		t.Errorf("%d and %d threads", len(a.Threads), len(a.More))
	}
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for _, line := range a.Put {
		if !strings.HasPrefix(line, "class 0 priority 0 nice 0") || !strings.HasSuffix(line, fmt.Sprint("cpus ", all.Count())) {
			t.Errorf("after the policy has gone a thread has %s", line)
		}
	}
	for _, want := range []string{"SCHED_OTHER", "priority: 0\n0\n", "unlimited            unlimited            us", "VmLck:\t       0 kB"} {
		if !strings.Contains(a.Child, want) {
			t.Errorf("the child does not say %q:\n%s", want, a.Child)
		}
	}
	self, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(self)) {
		if strings.HasPrefix(line, "Cpus_allowed_list") && !strings.Contains(a.Child, line) {
			t.Errorf("the child may not use %s:\n%s", line, a.Child)
		}
	}
}

// runAway spins in real time until the guard ends that.
func runAway() error {
	k, err := New()
	if err != nil {
		return err
	}
	told := make(chan string, 10)
	go k.Guard(context.Background(), func(s string) { told <- s })
	if err := k.Apply(Policy{RealTime: 1, RealTimeLimit: 20 * time.Millisecond}); err != nil {
		return err
	}
	var list []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && len(list) < 2; {
		select {
		case s := <-told:
			list = append(list, s)
		default:
		}
	}
	return json.NewEncoder(os.Stdout).Encode(append(list, threads()...))
}

func TestWhatRunsAwayLosesRealTimeAndLives(t *testing.T) {
	var told []string
	run(t, "runaway", &told)
	if len(told) < 3 || !strings.Contains(told[0], "more than 20ms without a pause") || !strings.Contains(told[1], "going on without real time") {
		t.Fatalf("told %q", told)
	}
	for _, s := range told[2:] {
		if !strings.HasPrefix(s, "class 0") {
			t.Errorf("a thread still has %s", s)
		}
	}
}

func lockAll() error {
	k, err := New()
	if err != nil {
		return err
	}
	if err := k.Apply(Policy{NoSwap: true}); err != nil {
		return err
	}
	before, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	// The runtime gives memory back and takes it again while it is locked.
	for range 20 {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		runtime.GC()
	}
	if err := k.Apply(Policy{}); err != nil {
		return err
	}
	after, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode([]string{string(before), string(after)})
}

func TestMemoryIsLockedAndNotMoreThanIsUsed(t *testing.T) {
	var status []string
	run(t, "swap", &status)
	locked := func(s string) (kB int) {
		_, rest, _ := strings.Cut(s, "VmLck:")
		if _, err := fmt.Sscan(rest, &kB); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
		return kB
	}
	resident := func(s string) (kB int) {
		_, rest, _ := strings.Cut(s, "VmRSS:")
		if _, err := fmt.Sscan(rest, &kB); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
		return kB
	}
	if locked(status[0]) == 0 || locked(status[1]) != 0 {
		t.Errorf("locked %d kB, and %d afterwards", locked(status[0]), locked(status[1]))
	}
	if kB := resident(status[0]); kB > 60<<10 {
		t.Errorf("locking brought %d kB into memory", kB)
	}
}

func TestRaiseStopsAtItsLimit(t *testing.T) {
	k := &Keeper{}
	k.policy.RealTime = 5
	if p, raised, err := k.Raise(5); p != 5 || raised || err != nil {
		t.Errorf("%d %v %v", p, raised, err)
	}
}
