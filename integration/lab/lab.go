package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NIC is the name of each host's interface.
const NIC = "eth0"

// readyLimit is how long the kernel may take to bring a lab's links up.
const readyLimit = 30 * time.Second

// Registry owns the labs of one process, so that a signal can remove them all.
type Registry struct {
	mu     sync.Mutex
	next   int
	labs   map[*Lab]bool
	closed bool
}

// NewRegistry returns a registry after removing what processes left behind that
// no longer run.
func NewRegistry() *Registry {
	sweep()
	return &Registry{labs: map[*Lab]bool{}}
}

// OnSignal removes every lab and ends the process with status 130 when it gets
// SIGINT, SIGTERM or SIGHUP. The function that it returns ends the watch.
func (r *Registry) OnSignal() (stop func()) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case <-got:
			r.Close()
			os.Exit(130)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(got)
		close(done)
	}
}

// Close removes every lab that is left, and lets no other be made.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	var all []*Lab
	for l := range r.labs {
		all = append(all, l)
	}
	r.mu.Unlock()
	for _, l := range all {
		l.Close()
	}
}

// Lab is one network: a bridge in a namespace of its own, and hosts on it.
type Lab struct {
	// Dir holds the lab's files. Its path is short, because the path of a Unix
	// socket cannot be long.
	Dir string
	// Fast is a folder in memory where there is one, as /run is, for what agents
	// write while they run. Nothing in it may be executable.
	Fast string
	// Capture records the adverts, ARP and neighbour discovery on the bridge.
	Capture *Capture

	registry *Registry
	prefix   string
	bridge   namespace
	hosts    map[string]*Host
	closing  sync.Once
}

// New builds a lab whose namespaces are named after name and the hosts. Host
// number i (from 1) has the addresses 192.0.2.i and 2001:db8::i.
func (r *Registry) New(name string, hosts ...string) (*Lab, error) {
	l, err := r.open(name)
	if err != nil {
		return nil, err
	}
	if err := l.build(hosts); err != nil {
		l.Close()
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	return l, nil
}

func (r *Registry) open(name string) (*Lab, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("the registry of labs is closed")
	}
	own := fmt.Sprintf("tandem-%d-", os.Getpid())
	dir, err := os.MkdirTemp("", own)
	if err != nil {
		return nil, err
	}
	// Scripts that run as another user must be able to reach their files.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	fast, err := os.MkdirTemp(shared, own)
	if err != nil {
		fast = dir
	}
	r.next++
	l := &Lab{
		Dir:      dir,
		Fast:     fast,
		registry: r,
		prefix:   fmt.Sprintf("%s%d-%s-", own, r.next, clean(name)),
		hosts:    map[string]*Host{},
	}
	r.labs[l] = true
	return l, nil
}

func (l *Lab) build(hosts []string) error {
	var err error
	if l.bridge, err = newNamespace(l.prefix + "bridge"); err != nil {
		return err
	}
	if err := l.bridge.batch(
		"link add br0 type bridge mcast_snooping 0 forward_delay 0",
		"link set br0 up"); err != nil {
		return err
	}
	if l.Capture, err = newCapture(l.bridge); err != nil {
		return err
	}
	for i, name := range hosts {
		h, err := l.newHost(name, i+1)
		if err != nil {
			return fmt.Errorf("host %s: %w", name, err)
		}
		l.hosts[name] = h
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	for _, h := range l.hosts {
		if err := h.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Host returns the host of that name, which must be there.
func (l *Lab) Host(name string) *Host {
	h, ok := l.hosts[name]
	if !ok {
		panic("lab: no host " + name)
	}
	return h
}

// Close ends every process in the lab's namespaces by its id and removes
// namespaces and files. It may be called more than once.
func (l *Lab) Close() {
	l.closing.Do(func() {
		for _, h := range l.hosts {
			h.close()
		}
		if l.Capture != nil {
			l.Capture.close()
		}
		l.bridge.remove()
		if err := errors.Join(os.RemoveAll(l.Dir), os.RemoveAll(l.Fast)); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
		}
		l.registry.mu.Lock()
		delete(l.registry.labs, l)
		l.registry.mu.Unlock()
	})
}

// namespace is a named network namespace and a handle to its links.
type namespace struct {
	name string
	fd   netns.NsHandle
	nl   *netlink.Handle
}

func newNamespace(name string) (namespace, error) {
	if _, err := command("ip", "netns", "add", name); err != nil {
		return namespace{}, err
	}
	fd, err := netns.GetFromName(name)
	if err != nil {
		return namespace{}, fmt.Errorf("open namespace %s: %w", name, err)
	}
	nl, err := netlink.NewHandleAt(fd)
	if err != nil {
		return namespace{}, fmt.Errorf("netlink in namespace %s: %w", name, err)
	}
	return namespace{name: name, fd: fd, nl: nl}, nil
}

// batch runs ip commands in the namespace.
func (n namespace) batch(lines ...string) error {
	c := exec.Command("ip", "-n", n.name, "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -n %s: %w: %s", n.name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (n namespace) remove() {
	if n.name == "" {
		return
	}
	if n.nl != nil {
		n.nl.Close()
	}
	if n.fd > 0 {
		_ = n.fd.Close()
	}
	removeNamespace(n.name)
}

func removeNamespace(name string) {
	out, err := command("ip", "netns", "pids", name)
	if err == nil {
		for word := range strings.FieldsSeq(out) {
			if pid, err := strconv.Atoi(word); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	if _, err := command("ip", "netns", "del", name); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
	}
}

// shared is a file system in memory.
const shared = "/dev/shm"

// sweep removes the namespaces and files of labs whose process has gone.
func sweep() {
	for _, name := range leftovers("/run/netns") {
		removeNamespace(filepath.Base(name))
	}
	for _, folder := range []string{os.TempDir(), shared} {
		for _, name := range leftovers(folder) {
			if err := os.RemoveAll(name); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
			}
		}
	}
}

// leftovers are the entries of a folder that are named after a process which has
// gone.
func leftovers(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), "tandem-")
		number, _, more := strings.Cut(rest, "-")
		if _, err := strconv.ParseUint(number, 10, 31); !ours || !more || err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("/proc", number)); errors.Is(err, os.ErrNotExist) {
			out = append(out, filepath.Join(folder, e.Name()))
		}
	}
	return out
}

var unclean = regexp.MustCompile(`[^A-Za-z0-9]+`)

// clean makes a test's name fit for a file name of bounded length.
func clean(name string) string {
	name = strings.Trim(unclean.ReplaceAllString(name, "-"), "-")
	return name[:min(len(name), 120)]
}

// command runs a program and returns what it wrote to standard output; an error
// carries what it wrote to standard error.
func command(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
