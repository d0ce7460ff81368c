package ipvs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// Conn is the kernel's table as the Reconciler needs it. Client is the real
// one; package ipvstest has one in memory.
type Conn interface {
	// Table returns the whole table.
	Table(ctx context.Context) (Table, error)
	// Entries returns those of the services that exist.
	Entries(ctx context.Context, keys []ServiceKey) (Table, error)
	// Apply makes the changes in order. What is there already is not added
	// twice, what is gone is not removed twice: neither is an error. What the
	// kernel refuses is listed in an *ApplyError, and the rest is made; after
	// any other error it is not known what was made.
	Apply(ctx context.Context, changes []Change) error
	// Digest returns a fingerprint of each service that can be had at a small
	// part of Table's cost. Equal fingerprints, equal services, as far as
	// /proc/net/ip_vs tells: it does not show thresholds, scheduler flags and
	// tunnels, and gives the same fingerprint to the IPv4 and the IPv6 service
	// of a mark. Where there is none it is errors.ErrUnsupported. The answer is
	// put into a map that is given, unless that is nil, and is that map then.
	Digest(ctx context.Context, into Digest) (Digest, error)
	// Fingerprint is what Digest gives for a service that is as the entry says, and
	// false where that cannot be told.
	Fingerprint(e Entry) (uint64, bool)
}

// Client is the kernel's IPVS over one long-lived generic netlink socket. It is
// of one network namespace: that of the thread that opened it. Its methods may
// be called at once from several goroutines, and are served in turn.
//
// While the kernel has no IPVS they return ErrNoKernelSupport, and work as soon
// as the module has been loaded. Other errors are the kernel's syscall.Errno,
// wrapped with what to do.
type Client struct {
	mu     sync.Mutex
	sock   *socket
	family uint16 // 0 until known
	proc   *procFile
}

var _ Conn = (*Client)(nil)

// Open opens a client in the calling thread's network namespace, whether or not
// the kernel has IPVS. The timeout bounds each wait for an answer.
func Open(timeout time.Duration) (*Client, error) {
	// The namespace is the thread's: the socket and the file must come of one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	link, err := openNetlink()
	if err != nil {
		return nil, err
	}
	proc, err := openProcFile()
	if err != nil {
		link.close()
		return nil, err
	}
	return &Client{sock: newSocket(link, timeout), proc: proc}, nil
}

// Close releases the socket. What is in the kernel's table stays.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sock.link.close()
	return c.proc.close()
}

// resolve asks for the family's number, which the kernel gives when IPVS is
// loaded. Asking makes the kernel load it where it can do so by itself.
func (c *Client) resolve(ctx context.Context) error {
	if c.family != 0 {
		return nil
	}
	err := c.sock.request(ctx, nl.GENL_ID_CTRL, 0, nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION,
		func(b []byte) []byte { return nlmsg.AppendString(b, nl.GENL_CTRL_ATTR_FAMILY_NAME, familyName) },
		func(attrs []byte) error {
			v, err := findAttr(attrs, nl.GENL_CTRL_ATTR_FAMILY_ID)
			if err != nil {
				return err
			}
			var r reader
			c.family = r.u16(v)
			return r.err
		})
	switch {
	case errors.Is(err, unix.ENOENT), err == nil && c.family == 0:
		return ErrNoKernelSupport
	case err != nil:
		return fmt.Errorf("look up netlink family %s: %w", familyName, err)
	}
	return nil
}

// dumpTries is how often a dump that changes interrupt is begun.
const dumpTries = 5

// ask sends one request and gives each part of the answer to visit.
func (c *Client) ask(ctx context.Context, cmd uint8, flags uint16, attrs func([]byte) []byte, visit func([]byte) error) error {
	return c.converse(ctx, func() error {
		return c.sock.request(ctx, c.family, flags, cmd, familyVersion, attrs, visit)
	})
}

// converse does what needs the family's number.
func (c *Client) converse(ctx context.Context, exchange func() error) error {
	once := func() error {
		if err := c.resolve(ctx); err != nil {
			return err
		}
		return exchange()
	}
	known := c.family
	err := once()
	if errors.Is(err, unix.ENOENT) && known != 0 {
		// There is no family of that number: its number changes when the module
		// is loaded anew.
		c.family = 0
		err = once()
	}
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: %s", err, permissionAdvice)
	}
	return err
}

// Table returns the whole table.
func (c *Client) Table(ctx context.Context) (Table, error) {
	usage, err := c.Usage(ctx)
	if err != nil {
		return nil, err
	}
	t := make(Table, len(usage))
	for _, u := range usage {
		t[u.ServiceKey] = u.entry()
	}
	return t, nil
}

// ServiceUsage is a service with its counters.
type ServiceUsage struct {
	Service
	Stats        Stats              `json:"stats"`
	Destinations []DestinationUsage `json:"destinations"`
}

// DestinationUsage is a destination with its counters.
type DestinationUsage struct {
	Destination
	Stats DestinationStats `json:"stats"`
}

func (u ServiceUsage) entry() Entry {
	e := Entry{Service: u.Service, Destinations: make([]Destination, len(u.Destinations))}
	for i, d := range u.Destinations {
		e.Destinations[i] = d.Destination
	}
	return e
}

// Usage returns the whole table with the kernel's counters.
func (c *Client) Usage(ctx context.Context) ([]ServiceUsage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for try := 1; ; try++ {
		out, err := c.usage(ctx)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errInterrupted) || try == dumpTries {
			return nil, fmt.Errorf("read the kernel's IPVS table: %w", err)
		}
	}
}

func (c *Client) usage(ctx context.Context) ([]ServiceUsage, error) {
	var out []ServiceUsage
	err := c.ask(ctx, cmdGetService, unix.NLM_F_DUMP, nil, func(attrs []byte) error {
		u, err := serviceUsage(attrs)
		if err == nil {
			out = append(out, u)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := c.destinations(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func serviceUsage(attrs []byte) (ServiceUsage, error) {
	v, err := findAttr(attrs, attrService)
	if err != nil {
		return ServiceUsage{}, err
	}
	var u ServiceUsage
	u.Service, u.Stats, err = parseService(v)
	return u, err
}

// destinations reads the destinations of u. A service that is gone has none.
func (c *Client) destinations(ctx context.Context, u *ServiceUsage) error {
	u.Destinations = nil
	return c.ask(ctx, cmdGetDest, unix.NLM_F_DUMP,
		func(b []byte) []byte { return appendServiceKey(b, u.ServiceKey) },
		func(attrs []byte) error {
			v, err := findAttr(attrs, attrDest)
			if err != nil {
				return err
			}
			var d DestinationUsage
			d.Destination, d.Stats, err = parseDestination(v, u.IPv6)
			u.Destinations = append(u.Destinations, d)
			return err
		})
}

// Entries returns those of the services that exist.
func (c *Client) Entries(ctx context.Context, keys []ServiceKey) (Table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := make(Table, len(keys))
	for _, k := range keys {
		u, err := c.service(ctx, k)
		switch {
		case errors.Is(err, unix.ESRCH):
		case err != nil:
			return nil, fmt.Errorf("read service %v: %w", k, err)
		default:
			t[k] = u.entry()
		}
	}
	return t, nil
}

// UsageOf returns one service with the kernel's counters, and false where there
// is none.
func (c *Client) UsageOf(ctx context.Context, k ServiceKey) (ServiceUsage, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.service(ctx, k)
	if errors.Is(err, unix.ESRCH) {
		return u, false, nil
	}
	if err != nil {
		return u, false, fmt.Errorf("read service %v: %w", k, err)
	}
	return u, true, nil
}

func (c *Client) service(ctx context.Context, k ServiceKey) (ServiceUsage, error) {
	for try := 1; ; try++ {
		var u ServiceUsage
		err := c.ask(ctx, cmdGetService, 0,
			func(b []byte) []byte { return appendServiceKey(b, k) },
			func(attrs []byte) error {
				var err error
				u, err = serviceUsage(attrs)
				return err
			})
		if err == nil {
			err = c.destinations(ctx, &u)
		}
		if !errors.Is(err, errInterrupted) || try == dumpTries {
			return u, err
		}
	}
}

// Digest returns a fingerprint of each service. Into a map that is large enough it
// allocates nothing.
func (c *Client) Digest(_ context.Context, into Digest) (Digest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proc.digest(into)
}

// Fingerprint is what Digest gives for a service that is as the entry says, and false
// for a mark and a persistent service, of which /proc/net/ip_vs tells otherwise.
func (c *Client) Fingerprint(e Entry) (uint64, bool) { return fingerprint(e, c.proc.seed) }

// Daemons returns the sync daemons that run: at most a master and a backup.
func (c *Client) Daemons(ctx context.Context) ([]Daemon, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Daemon
	err := c.ask(ctx, cmdGetDaemon, unix.NLM_F_DUMP, nil, func(attrs []byte) error {
		v, err := findAttr(attrs, attrDaemon)
		if err != nil {
			return err
		}
		d, err := parseDaemon(v)
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sync daemons: %w", err)
	}
	return out, nil
}

// StartDaemon starts a sync daemon; one of its part that runs already is EEXIST.
func (c *Client) StartDaemon(ctx context.Context, d Daemon) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.ask(ctx, cmdNewDaemon, 0, func(b []byte) []byte { return appendDaemon(b, d) }, nil)
	switch {
	case errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("%w: there is no interface %q", err, d.Interface)
	case errors.Is(err, unix.EINVAL):
		err = fmt.Errorf("%w: no service may have a destination of another address family, and max_len must fit the MTU", err)
	}
	if err != nil {
		return fmt.Errorf("start %v sync daemon on %s: %w", d.State, d.Interface, err)
	}
	return nil
}

// StopDaemon stops the sync daemon of that part. One that does not run is none
// to stop, and no error.
func (c *Client) StopDaemon(ctx context.Context, s DaemonState) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of a daemon that ends before it has begun, as it does on a busy host, the kernel
	// says nothing: its thread's end is EINTR, and that is not answered. The second
	// order always is, for then there is none.
	err := c.converse(ctx, func() error {
		var last error
		err := c.sock.batch(ctx, c.family, 2,
			func(_ int, b []byte) []byte { return appendDaemon(b, Daemon{State: s}) },
			func(int) uint8 { return cmdDelDaemon },
			func(_ int, err error) { last = err })
		return errors.Join(err, last)
	})
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stop %v sync daemon: %w", s, err)
	}
	return nil
}

// Timeouts returns how long idle connections are kept.
func (c *Client) Timeouts(ctx context.Context) (Timeouts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var t Timeouts
	err := c.ask(ctx, cmdGetConfig, 0, nil, func(attrs []byte) error {
		var err error
		t, err = parseTimeouts(attrs)
		return err
	})
	if err != nil {
		return Timeouts{}, fmt.Errorf("read connection timeouts: %w", err)
	}
	return t, nil
}

// SetTimeouts sets those of the timeouts that are not zero.
func (c *Client) SetTimeouts(ctx context.Context, t Timeouts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx, cmdSetConfig, 0, func(b []byte) []byte { return appendTimeouts(b, t) }, nil); err != nil {
		return fmt.Errorf("set connection timeouts to %+v: %w", t, err)
	}
	return nil
}

// Info returns what the kernel says of its IPVS.
func (c *Client) Info(ctx context.Context) (Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var i Info
	err := c.ask(ctx, cmdGetInfo, 0, nil, func(attrs []byte) error {
		var err error
		i, err = parseInfo(attrs)
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("read IPVS information: %w", err)
	}
	return i, nil
}

// Zero sets the counters of one service and its destinations to zero.
func (c *Client) Zero(ctx context.Context, k ServiceKey) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx, cmdZero, 0, func(b []byte) []byte { return appendServiceKey(b, k) }, nil); err != nil {
		return fmt.Errorf("zero the counters of %v: %w", k, err)
	}
	return nil
}

// ZeroAll sets all counters to zero.
func (c *Client) ZeroAll(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx, cmdZero, 0, nil, nil); err != nil {
		return fmt.Errorf("zero all counters: %w", err)
	}
	return nil
}

// Flush removes every service, foreign ones too.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx, cmdFlush, 0, nil, nil); err != nil {
		return fmt.Errorf("flush the IPVS table: %w", err)
	}
	return nil
}
