//go:build kernel

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/integration/lab"
)

// TestPairScheduling gives the process all that it can be given, and looks at
// every thread, and at a notify script and the reader of a FIFO, which have none
// of it.
func TestPairScheduling(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "tandem")
	say := `chrt -p $$; nice; grep -E "Cpus_allowed_list|VmLck" /proc/self/status; grep -i "realtime timeout" /proc/self/limits; umask`
	script := writeScript(t, p.lb1, "say", "{ "+say+"; } >"+p.lb1.Dir+"/$1.new 2>&1; mv "+p.lb1.Dir+"/$1.new "+p.lb1.Dir+"/$1.said; [ $1 = notify ] || exec cat \"$2\" >/dev/null\n")
	conf := global("script_user root\n  notify_fifo " + p.lb1.Dir + "/fifo\n  notify_fifo_script \"" + script + " fifo\"\n" +
		"  vrrp_rt_priority 2\n  vrrp_priority -4\n  vrrp_no_swap\n  vrrp_cpu_affinity 0\n  vrrp_rlimit_rttime 500000\n  vrrp_process_name lb-vrrp\n  umask IRWXG|IRWXO")(
		m.conf(p.lb1.Host, p.lb2.Host, 150, `notify "`+script+` notify"`))
	must(t, p.lb1.Write(conf))
	p.lead()
	pid := p.lb1.PID()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	must(t, err)
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		must(t, err)
		a, err := unix.SchedGetAttr(id, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		must(t, err)
		var cpus unix.CPUSet
		must(t, unix.SchedGetaffinity(id, &cpus))
		if a.Policy != unix.SCHED_RR || a.Priority != 2 || cpus.Count() != 1 || !cpus.IsSet(0) {
			t.Errorf("thread %d of %d: policy %d, priority %d, %d CPUs", id, len(tasks), a.Policy, a.Priority, cpus.Count())
		}
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err != nil || string(b) != "lb-vrrp\n" {
		t.Errorf("the process is called %q, error %v", b, err)
	}
	own, err := os.ReadFile("/proc/self/status")
	must(t, err)
	allowed := ""
	for line := range strings.Lines(string(own)) {
		if strings.HasPrefix(line, "Cpus_allowed_list") {
			allowed = line
		}
	}
	for _, name := range []string{"notify", "fifo"} {
		var said string
		eventually(t, slack, name, func() error {
			b, err := os.ReadFile(filepath.Join(p.lb1.Dir, name+".said"))
			said = string(b)
			if err == nil && !strings.Contains(said, "0077") {
				err = errors.New("it is not all said yet")
			}
			return err
		})
		for _, want := range []string{"SCHED_OTHER", fmt.Sprintf("priority: 0\n%d\n", lab.AgentNice), allowed, "VmLck:\t       0 kB", "unlimited            unlimited            us", "0077"} {
			if !strings.Contains(said, want) {
				t.Errorf("the %s script lacks %q:\n%s", name, want, said)
			}
		}
	}
	p.steady(p.lb1)
}

// TestPairAutoPriority wakes a node up late: it goes on in real time.
func TestPairAutoPriority(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "tandem")
	must(t, p.lb1.Write(global("max_auto_priority 3\n  min_auto_priority_delay 100000")(m.conf(p.lb1.Host, p.lb2.Host, 150))))
	p.lead()
	policy := func() uint32 {
		a, err := unix.SchedGetAttr(p.lb1.PID(), 0)
		must(t, err)
		return a.Policy
	}
	must(t, p.lb1.Signal(unix.SIGSTOP))
	if err := p.lb2.Host.Addresses.Wait(within(t, slack), true, p.vips()...); err != nil {
		t.Fatal(err)
	}
	must(t, p.lb1.Signal(unix.SIGCONT))
	eventually(t, slack, "real time", func() error {
		if policy() != unix.SCHED_RR {
			return errors.New("it is not in real time")
		}
		return nil
	})
	says(t, p.lb1, "going on with priority 1 in real time")
}

// TestPairStuckListeners lets nobody read a FIFO and a relay never answer, and
// tells a lot: the adverts go on in time, what is lost is counted, and what was
// kept comes when it is read at last.
func TestPairStuckListeners(t *testing.T) {
	t.Parallel()
	m := mode{version: 3, advert: 200 * time.Millisecond}
	p := newPair(t, m, "tandem", "keepalived")
	fifo := filepath.Join(p.lb1.Dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	keep, err := os.OpenFile(fifo, os.O_RDWR|unix.O_NONBLOCK, 0)
	must(t, err)
	defer func() { _ = keep.Close() }()
	full := 0
	for {
		n, err := unix.Write(int(keep.Fd()), []byte("so that the pipe is full\n"))
		if err != nil {
			break
		}
		full += n
	}
	calls, err := p.lb1.Host.Silent(relayAddr)
	must(t, err)
	conf := func(priority int) string {
		return global("notify_fifo " + fifo + "\n  vrrp_notify_priority_changes true\n  smtp_server 127.0.0.1 2525\n  smtp_alert\n" +
			"  notification_email {\n    a@example.com\n  }\n  fifo_write_vrrp_states_on_reload")(m.conf(p.lb1.Host, p.lb2.Host, priority))
	}
	must(t, p.lb1.Write(conf(150)))
	p.lead()
	began := time.Now()
	for i := range 20 {
		must(t, p.lb1.Write(conf(150+i%2)))
		ask(t, p.lb1, "reload")
	}
	p.steadyReload("twenty reloads")
	last := began
	source := p.from(p.lb1)
	for _, a := range p.lab.Capture.Adverts(began) {
		if a.Source != source {
			continue
		}
		// Whoever waited for the relay would do so for 30 s, and for the FIFO for ever.
		if gap := a.At.Sub(last); gap > 3*silence {
			t.Errorf("no advert for %v", gap)
		}
		last = a.At
	}
	var s struct {
		Notify struct {
			FIFOs []struct{ Written, Dropped, Waiting int }
			Mail  struct{ Sent, Waiting int }
		}
	}
	eventually(t, slack, "what nobody takes", func() error {
		must(t, json.Unmarshal([]byte(ask(t, p.lb1, "status", "-o", "json")), &s))
		if len(s.Notify.FIFOs) != 1 || s.Notify.FIFOs[0].Waiting < 20 || s.Notify.Mail.Waiting < 2 || calls() == 0 {
			return fmt.Errorf("%d calls of the relay, %+v", calls(), s)
		}
		return nil
	})
	if s.Notify.FIFOs[0].Written != 0 || s.Notify.Mail.Sent != 0 {
		t.Errorf("%+v", s)
	}
	b := make([]byte, full)
	for read := 0; read < full; {
		n, err := keep.Read(b[read:])
		must(t, err)
		read += n
	}
	statusSays := func() error {
		must(t, json.Unmarshal([]byte(ask(t, p.lb1, "status", "-o", "json")), &s))
		if f := s.Notify.FIFOs[0]; f.Waiting > 0 || f.Written < 20 {
			return fmt.Errorf("%+v", f)
		}
		return nil
	}
	eventually(t, slack, "what was kept is written", statusSays)
	n, err := keep.Read(b)
	must(t, err)
	if text := string(b[:n]); !strings.HasPrefix(text, "INSTANCE \"VI_1\" BACKUP 150\nINSTANCE \"VI_1\" MASTER 150\n") || !strings.Contains(text, "MASTER_PRIORITY 151\n") {
		t.Errorf("read at last: %s", text)
	}
}
