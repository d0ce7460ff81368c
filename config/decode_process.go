package config

import (
	"strconv"
	"strings"
	"time"
)

// maxProcessName is the most bytes of a process's name in the kernel.
const maxProcessName = 15

// maxCPU is the greatest number of a CPU that can be bound to.
const maxCPU = 1023

// newProcess is a Process of which nothing has been said.
func newProcess() Process {
	s := Scheduling{RealTimeLimit: 10 * time.Millisecond}
	return Process{ChildWait: 5 * time.Second, VRRP: s, Checker: s, BFD: s, AutoPriorityDelay: time.Second, Umask: 0o177}
}

func processNamespace(d *decoder, n *node) {
	p := &d.cfg.Process
	switch {
	case len(n.Words) < 2:
		d.fail("missing-value", of(n.Words[0]), "Write net_namespace NAME.", "net_namespace names nothing")
	case p.NetNamespace != "":
		d.fail("duplicate", words(n, 0), "", "net_namespace is given already; this one does not count")
	default:
		p.NetNamespace, p.PIDFolder = n.Words[1].Value, true
	}
}

func processNamespaceIPVS(d *decoder, n *node) {
	name := ""
	if len(n.Words) > 1 {
		name = n.Words[1].Value
	}
	d.cfg.Process.NetNamespaceIPVS = &name
}

func processInstance(d *decoder, n *node) {
	p := &d.cfg.Process
	switch {
	case len(n.Words) < 2:
		d.fail("missing-value", of(n.Words[0]), "Write instance NAME.", "instance names nothing")
	case p.Instance != "":
		d.fail("duplicate", words(n, 0), "", "instance is given already; this one does not count")
	default:
		p.Instance, p.PIDFolder = n.Words[1].Value, true
	}
}

// processName takes the name of a process.
func processName(place func(*decoder) *string) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v := n.Words[1].Value
		if len(v) > maxProcessName {
			d.warn("invalid-value", of(n.Words[1]), "", "%s is cut to %d bytes", n.name(), maxProcessName)
			v = v[:maxProcessName]
		}
		*place(d) = v
	}
}

func schedulingLimit(place func(*decoder) *Scheduling) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		v, ok := d.number(n.Words[1], 1, maxMicros)
		if !ok {
			return
		}
		// With 1 µs the kernel would kill at once what it has to warn first.
		place(d).RealTimeLimit = max(time.Duration(v), 2) * time.Microsecond
	}
}

func schedulingCPUs(place func(*decoder) *Scheduling) func(*decoder, *node) {
	return func(d *decoder, n *node) {
		for _, w := range n.Words[1:] {
			if w.Value == "" {
				continue
			}
			v, ok := d.number(w, 0, maxCPU)
			if !ok {
				return
			}
			s := place(d)
			s.CPUs = append(s.CPUs, int(v))
		}
	}
}

func maxAutoPriority(d *decoder, n *node) {
	p := &d.cfg.Process.MaxAutoPriority
	if len(n.Words) < 2 {
		*p = 99
		return
	}
	if v, ok := d.number(n.Words[1], -1, 99); ok {
		*p = int(v)
	}
}

func autoPriorityDelay(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 1, 10_000_000); ok {
		d.cfg.Process.AutoPriorityDelay = time.Duration(v) * time.Microsecond
	}
}

// umaskBits are the names of permissions as in <sys/stat.h>, without "S_".
var umaskBits = map[string]int{
	"IRUSR": 0o400, "IWUSR": 0o200, "IXUSR": 0o100, "IRWXU": 0o700,
	"IRGRP": 0o040, "IWGRP": 0o020, "IXGRP": 0o010, "IRWXG": 0o070,
	"IROTH": 0o004, "IWOTH": 0o002, "IXOTH": 0o001, "IRWXO": 0o007,
}

// processUmask takes a number, in C's notation, or names of bits with '|'
// between them.
func processUmask(d *decoder, n *node) {
	first := n.Words[1].Value
	if first != "" && first[0] >= '0' && first[0] <= '9' {
		v, err := strconv.ParseUint(first, 0, 16)
		if err != nil || v > 0o777 {
			d.fail("invalid-value", of(n.Words[1]), "Write it like 0177.", "'%s' is no umask", first)
			return
		}
		d.cfg.Process.Umask = int(v)
		return
	}
	mask := 0
	for _, w := range n.Words[1:] {
		for name := range strings.SplitSeq(w.Value, "|") {
			bit := umaskBits[name]
			if bit == 0 && (name != "" || w.Value == "") {
				d.fail("invalid-value", of(w), "Write bits like IRWXG|IRWXO.", "'%s' is no bit of a umask", name)
				return
			}
			mask |= bit
		}
	}
	d.cfg.Process.Umask = mask
}
