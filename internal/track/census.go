package track

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// census knows which running processes are to be counted for what.
type census struct {
	proc    string
	configs []ProcessConfig
	// counted are the processes that match, for each configuration.
	counted []map[int]bool
}

// newCensus returns a census of nobody, that reads proc: "/proc".
func newCensus(proc string, configs []ProcessConfig) *census {
	c := &census{proc: proc, configs: configs}
	for range configs {
		c.counted = append(c.counted, map[int]bool{})
	}
	return c
}

// count is how many match configuration i.
func (c *census) count(i int) int { return len(c.counted[i]) }

// scan looks at every process.
func (c *census) scan() error {
	d, err := os.Open(c.proc)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	for i := range c.counted {
		clear(c.counted[i])
	}
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			c.look(pid)
		}
	}
	return nil
}

// look reads what one process is now. One that has gone, or is dead and not yet
// waited for, counts for nothing.
func (c *census) look(pid int) {
	dir := filepath.Join(c.proc, strconv.Itoa(pid))
	name, dead := nameOf(dir)
	if dead {
		c.forget(pid)
		return
	}
	var cmdline []byte
	for i, conf := range c.configs {
		if conf.FullCommand && cmdline == nil {
			// Of a process that has gone there is none, which matches nothing.
			cmdline, _ = os.ReadFile(filepath.Join(dir, "cmdline"))
		}
		if conf.Matches(name, cmdline) {
			c.counted[i][pid] = true
		} else {
			delete(c.counted[i], pid)
		}
	}
}

// nameOf reads the name of a process, and whether it has ended.
func nameOf(dir string) (name string, dead bool) {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	// PID (NAME) STATE ...: the name may hold anything, also brackets.
	first, last := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if err != nil || first < 0 || last < first || last+2 >= len(b) {
		return "", true
	}
	state := b[last+2]
	return string(b[first+1 : last]), state == 'Z' || state == 'X'
}

// fork counts a child for what its parent counts: it is the same program until it
// starts another.
func (c *census) fork(parent, child int) {
	for i := range c.counted {
		if c.counted[i][parent] {
			c.counted[i][child] = true
		}
	}
}

// forget leaves out a process that has ended.
func (c *census) forget(pid int) {
	for i := range c.counted {
		delete(c.counted[i], pid)
	}
}
