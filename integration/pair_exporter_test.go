//go:build kernel

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ha/tandem/integration/lab"
)

// exporterWait is how long keepalived's usual exporter waits between a signal and
// reading what it asked for.
const exporterWait = 10 * time.Millisecond

// exporter collects from an agent as keepalived's usual exporter does: it asks the
// program for its version and its signals' numbers, sends the signal to the
// process in the pid file, waits 10 ms and reads the file.
type exporter struct {
	agent   *lab.Agent
	program string
	signals map[string]syscall.Signal
	// seen are the files that were there, each of which has to be there from then on.
	seen sync.Map
}

// read reads a file of the agent. One that is not there yet is no failure: the
// exporter says that keepalived is down, and reads it the next time.
func (e *exporter) read(file string) ([]byte, error) {
	_, seen := e.seen.Load(file)
	b, err := os.ReadFile(filepath.Join(e.agent.Dir, file))
	switch {
	case err == nil:
		e.seen.Store(file, true)
	case seen && errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%s was there, and is not", file)
	}
	return b, err
}

// newExporter asks the program under the name of keepalived.
func newExporter(t *testing.T, a *lab.Agent) *exporter {
	t.Helper()
	e := &exporter{agent: a, program: filepath.Join(t.TempDir(), "keepalived"), signals: map[string]syscall.Signal{}}
	must(t, os.Symlink(a.Program, e.program))
	c := exec.Command(e.program, "-v")
	var stderr strings.Builder
	c.Stderr = &stderr
	must(t, c.Run())
	first, _, _ := strings.Cut(stderr.String(), "\n")
	words := strings.Split(first, " ")
	if len(words) < 2 || !regexp.MustCompile(`^\d+(\.\d+)+$`).MatchString(words[1][1:]) {
		t.Fatalf("there is no version in %q", first)
	}
	for _, name := range []string{"DATA", "STATS", "JSON"} {
		out, err := exec.Command(e.program, "--signum="+name).Output()
		must(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(out)))
		must(t, err)
		e.signals[name] = syscall.Signal(n)
	}
	return e
}

// signal has the agent write something.
func (e *exporter) signal(name string) error {
	b, err := os.ReadFile(e.agent.Dir + "/pid")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(string(b), "\n"))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, e.signals[name])
}

// dumped is an instance as the files show it.
type dumped struct {
	state, became int
	vips          []string
}

// json collects from keepalived.json.
func (e *exporter) json() (map[string]dumped, error) {
	if err := e.signal("JSON"); err != nil {
		return nil, err
	}
	time.Sleep(exporterWait)
	b, err := e.read("keepalived.json")
	if err != nil {
		return nil, err
	}
	var list []struct {
		Data struct {
			Name  string   `json:"iname"`
			State int      `json:"state"`
			GARP  int      `json:"garp_delay"`
			VRID  int      `json:"vrid"`
			VIPs  []string `json:"vips"`
		} `json:"data"`
		Stats struct {
			Became int `json:"become_master"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%w in %q", err, b)
	}
	out := map[string]dumped{}
	for _, i := range list {
		d := dumped{state: i.Data.State, became: i.Stats.Became}
		for _, line := range i.Data.VIPs {
			words := strings.Split(line, " ")
			if len(words) < 3 || i.Data.VRID == 0 || i.Data.GARP == 0 {
				return nil, fmt.Errorf("an instance %+v", i)
			}
			d.vips = append(d.vips, words[0]+" on "+words[2])
		}
		out[i.Data.Name] = d
	}
	return out, nil
}

// text collects from keepalived.data and keepalived.stats, and the tracking
// scripts with them.
func (e *exporter) text() (map[string]dumped, map[string]string, error) {
	files := map[string]string{}
	for name, file := range map[string]string{"DATA": "keepalived.data", "STATS": "keepalived.stats"} {
		if err := e.signal(name); err != nil {
			return nil, nil, err
		}
		time.Sleep(exporterWait)
		b, err := e.read(file)
		if err != nil {
			return nil, nil, err
		}
		if len(b) == 0 || b[len(b)-1] != '\n' {
			return nil, nil, fmt.Errorf("%s ends in its middle: %q", file, b)
		}
		files[name] = string(b)
	}
	instances, scripts := map[string]dumped{}, map[string]string{}
	instance, script, heading := "", "", ""
	for line := range strings.Lines(files["DATA"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch indent := len(line) - len(strings.TrimLeft(line, " ")); {
		case indent == 0:
			instance, script = "", ""
		case indent == 1 && key == "VRRP Instance":
			instance, script = value, ""
		case indent == 1 && key == "VRRP Script":
			instance, script = "", value
		case indent == 3 && script != "" && (key == "Status" || key == "State"):
			scripts[script] += value + " "
		case indent == 3 && instance != "":
			heading = key
			d := instances[instance]
			switch key {
			case "State":
				d.state = slices.Index([]string{"INIT", "BACKUP", "MASTER", "FAULT"}, value)
			case "Gratuitous ARP delay", "Virtual Router ID":
				if _, err := strconv.Atoi(value); err != nil {
					return nil, nil, fmt.Errorf("%q: %w", line, err)
				}
			}
			instances[instance] = d
		case indent == 5 && instance != "" && strings.HasPrefix(heading, "Virtual IP ("):
			words := strings.Split(strings.TrimSpace(line), " ")
			d := instances[instance]
			d.vips = append(d.vips, words[0]+" on "+words[2])
			instances[instance] = d
		}
	}
	for line := range strings.Lines(files["STATS"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "VRRP Instance" {
			instance = value
		} else if n, err := strconv.Atoi(value); key == "Became master" {
			d := instances[instance]
			d.became = n
			instances[instance] = d
		} else if value != "" && err != nil {
			return nil, nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return instances, scripts, nil
}

// TestPairExporter has three exporters collect from a node while it hands over and
// takes back: whatever they read is whole, and what they read in the end is true.
func TestPairExporter(t *testing.T) {
	t.Parallel()
	p := newPair(t, mode{version: 3, advert: 200 * time.Millisecond}, "tandem", "tandem")
	must(t, p.lb1.Write("vrrp_script chk {\n  script /bin/true\n  interval 1\n}\nvrrp_script bad {\n  script /bin/false\n  interval 1\n  weight -2\n}\n"+
		p.mode.conf(p.lb1.Host, p.lb2.Host, 150, "track_script {", "  chk", "  bad", "}")))
	p.lead()
	e := newExporter(t, p.lb1)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var mu sync.Mutex
	reads, early := 0, 0
	for range 3 {
		readers.Go(func() {
			tick := time.NewTicker(time.Second / 3)
			defer tick.Stop()
			for {
				_, err := e.json()
				if err == nil {
					_, _, err = e.text()
				}
				mu.Lock()
				reads++
				switch {
				case errors.Is(err, fs.ErrNotExist):
					early++
				case err != nil:
					t.Errorf("a reader: %v", err)
				}
				mu.Unlock()
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	for range 2 {
		if _, err := p.lb1.Ask("switchover", "--yes"); err != nil {
			t.Error(err)
		}
		p.holds(p.lb2, slack)
		if _, err := p.lb1.Ask("resume"); err != nil {
			t.Error(err)
		}
		p.holds(p.lb1, 2*slack)
	}
	// The readers have to have read for long enough.
	eventually(t, 2*slack, "30 reads", func() error {
		mu.Lock()
		defer mu.Unlock()
		if reads < 30 {
			return fmt.Errorf("%d so far", reads)
		}
		return nil
	})
	close(stop)
	readers.Wait()
	want := dumped{state: 2, became: 3, vips: []string{p.mode.vip(0).String() + " on " + lab.NIC}}
	eventually(t, slack, "what the files say", func() error {
		fromJSON, err := e.json()
		if err != nil {
			return err
		}
		fromText, scripts, err := e.text()
		if err != nil {
			return err
		}
		for _, got := range []dumped{fromJSON["VI_1"], fromText["VI_1"]} {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("%+v, want %+v", got, want)
			}
		}
		if scripts["chk"] != "GOOD idle " || scripts["bad"] != "BAD idle " {
			return fmt.Errorf("scripts %q", scripts)
		}
		return nil
	})
	t.Logf("%d reads, %d of them before a file was there", reads, early)
}

// TestPairDumpTime measures from a signal to its file with 250 instances: the
// exporter waits 10 ms.
func TestPairDumpTime(t *testing.T) {
	h := newLab(t, "lb1", "lb2").Host("lb1")
	m := mode{version: 3, advert: time.Second}
	var conf strings.Builder
	for i := range 250 {
		fmt.Fprintf(&conf, "vrrp_instance VI_%d {\n  interface %s\n  version 3\n  virtual_router_id %d\n  advert_int %g\n  virtual_ipaddress {\n    10.9.0.%d\n  }\n}\n",
			i+1, lab.NIC, i+1, m.advert.Seconds(), i+1)
	}
	a := agent(t, h, "tandem", conf.String())
	start(t, a)
	isIn(t, a, "VI_250", "MASTER", m.masterDown(100)+slack)
	e := newExporter(t, a)
	for signal, file := range map[string]string{"JSON": "keepalived.json", "DATA": "keepalived.data", "STATS": "keepalived.stats"} {
		path := filepath.Join(a.Dir, file)
		var took []time.Duration
		// A busy machine delays most of them; not all.
		for i := 0; i < 20 || i < 200 && slices.Min(took) > exporterWait; i++ {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			began := time.Now()
			must(t, e.signal(signal))
			for {
				if info, err := os.Stat(path); err == nil {
					took = append(took, time.Since(began))
					if info.Size() < 250*300 {
						t.Errorf("%s has %d bytes", file, info.Size())
					}
					break
				}
				if time.Since(began) > slack {
					t.Fatalf("no %s", file)
				}
				time.Sleep(100 * time.Microsecond)
			}
		}
		slices.Sort(took)
		t.Logf("%s: median of %d %v, worst %v", file, len(took), took[len(took)/2], took[len(took)-1])
		if took[0] > exporterWait {
			t.Errorf("%s is there after %v at the soonest", file, took[0])
		}
	}
}
