package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// frrFolder is where Debian's package frr keeps its programs.
const frrFolder = "/usr/lib/frr"

// frrLimit is how long zebra may take to start.
const frrLimit = 20 * time.Second

// FRR is the routing daemons of FRRouting on a host.
type FRR struct {
	// Dir holds their files, also their logs.
	Dir  string
	host *Host
}

// FRR starts zebra and further daemons of FRRouting on the host, each with its
// configuration by the daemon's name.
func (h *Host) FRR(conf map[string]string) (*FRR, error) {
	dir, err := os.MkdirTemp(h.lab.Dir, h.Name+"-frr-")
	if err != nil {
		return nil, err
	}
	f := &FRR{Dir: dir, host: h}
	if err := f.start("zebra", ""); err != nil {
		return nil, err
	}
	// A daemon that finds no zebra tries again only after ten seconds.
	ctx, cancel := context.WithTimeout(context.Background(), frrLimit)
	defer cancel()
	for zebra := filepath.Join(dir, "zserv.api"); ; {
		if _, err := os.Stat(zebra); err == nil {
			break
		}
		if err := Poll(ctx, 10*time.Millisecond); err != nil {
			return nil, fmt.Errorf("frr: zebra does not listen: %w", err)
		}
	}
	for name, text := range conf {
		if err := f.start(name, text); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// start starts one daemon; it ends with the host.
func (f *FRR) start(name, conf string) error {
	file := filepath.Join(f.Dir, name)
	if err := os.WriteFile(file+".conf", []byte(conf), 0o644); err != nil {
		return err
	}
	args := []string{
		filepath.Join(frrFolder, name), "-u", "root", "-g", "frrvty", "-f", file + ".conf", "-z", f.Dir + "/zserv.api",
		"--vty_socket", f.Dir, "-i", file + ".pid", "-P", "0", "--log", "file:" + file + ".log",
	}
	if name == "bfdd" {
		args = append(args, "--bfdctl", f.Dir+"/bfdd.sock")
	}
	if _, err := f.host.Start(file+".out", nil, args...); err != nil {
		return fmt.Errorf("frr: %w", err)
	}
	return nil
}

// Ask runs commands of FRR's shell and returns what they print.
func (f *FRR) Ask(commands ...string) (string, error) {
	args := []string{"vtysh", "--vty_socket", f.Dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return f.host.Run(args...)
}
