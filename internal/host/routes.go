package host

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tandem-ha/tandem/ipvs/nlmsg"
)

// RouteTable is what *Routes does; hosttest has one in memory.
type RouteTable interface {
	Apply(changes []RouteChange) error
	Owned() ([]Route, error)
	Present(want []Route) ([]Route, error)
	Close() error
}

var _ RouteTable = (*Routes)(nil)

// Routes puts routes into the kernel's tables and takes them out, through one
// rtnetlink socket. It is safe for use by several goroutines.
type Routes struct {
	mu    sync.Mutex
	batch batch[RouteChange]
}

// RouteError is one change that the kernel refused.
type RouteError struct {
	Change RouteChange
	Err    error
}

// Error names the change and the kernel's reason.
func (e *RouteError) Error() string { return fmt.Sprintf("%s: %v", e.Change, e.Err) }

// Unwrap returns the kernel's reason.
func (e *RouteError) Unwrap() error { return e.Err }

// NewRoutes opens the socket, in the network namespace of the calling thread.
func NewRoutes() (*Routes, error) {
	conn, err := dialRTNL()
	if err != nil {
		return nil, err
	}
	conn.strict()
	return &Routes{batch: batch[RouteChange]{conn: conn}}, nil
}

// Close closes the socket; routes stay as they are.
func (r *Routes) Close() error { return r.batch.conn.close() }

// Apply carries out the changes in order, in batches. A route that is already
// there, or already gone, or whose interface is gone when it is to be removed, is
// as good as done; but one of mode Only must be new. Each other failure is a
// *RouteError in the joined error; the changes after it are carried out all the
// same.
func (r *Routes) Apply(changes []RouteChange) error {
	if len(changes) == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	index := make(map[string]int, 4)
	for _, c := range changes {
		if err := r.batch.conn.indexes(index, c.Route.interfaces()...); err != nil {
			return err
		}
	}
	return r.batch.run(changes, codec[RouteChange]{
		encode: func(b []byte, seq uint32, c RouteChange) ([]byte, error) {
			missing := slices.ContainsFunc(c.Route.interfaces(), func(name string) bool {
				_, ok := index[name]
				return !ok && name != ""
			})
			switch {
			case missing && c.Op == Remove:
				return b, errNothing
			case missing:
				return b, errNoInterface
			case !c.Route.Destination.IsValid():
				return b, unix.EINVAL
			}
			return appendRoute(b, c.Op, 0, seq, c.Route, index), nil
		},
		harmless: func(c RouteChange, err error) bool {
			if c.Op == Add {
				return errors.Is(err, unix.EEXIST) && c.Route.Mode != Only
			}
			return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT)
		},
		failed: func(c RouteChange, err error) error { return &RouteError{c, err} },
	})
}

// interfaces are the names that a route speaks of.
func (r Route) interfaces() []string {
	if leadsNowhere(r.Type) {
		return nil
	}
	if len(r.NextHops) == 0 {
		return []string{r.Via.Interface}
	}
	names := make([]string, 0, len(r.NextHops))
	for _, n := range r.NextHops {
		names = append(names, n.Interface)
	}
	return names
}

// routeFilter is what the kernel is asked to list.
type routeFilter struct {
	family   byte
	table    uint32
	protocol uint8
}

// Owned returns the routes of all tables that carry our Protocol number.
func (r *Routes) Owned() ([]Route, error) {
	return r.list([]routeFilter{
		{family: unix.AF_INET, protocol: Protocol},
		{family: unix.AF_INET6, protocol: Protocol},
	}, func(Route) bool { return true })
}

// Present returns those of want that are on the host, as the kernel has them. A
// route is found by its destination, source, table, metric, TOS and protocol,
// whatever else it says; there can be several.
func (r *Routes) Present(want []Route) ([]Route, error) {
	wanted := make(map[routePlace]bool, len(want))
	var filters []routeFilter
	for _, w := range want {
		n := w.normal()
		wanted[n.place()] = true
		f := routeFilter{familyOf(n.Destination.Addr()), n.Table, n.Protocol}
		if !slices.Contains(filters, f) {
			filters = append(filters, f)
		}
	}
	return r.list(filters, func(have Route) bool { return wanted[have.normal().place()] })
}

// list returns the routes of the host that a filter lets through and that keep
// says yes to. A kernel before 4.20 lists all routes for each filter, so the
// filters are applied here, too.
func (r *Routes) list(filters []routeFilter, keep func(Route) bool) ([]Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(filters) == 0 {
		return nil, nil
	}
	conn := r.batch.conn
	var out []Route
	err := conn.list("routes", func() error {
		out = nil
		names, err := conn.names()
		if err != nil {
			return err
		}
		name := func(index int) string { return names[index] }
		for _, f := range filters {
			err := conn.dump(unix.RTM_GETROUTE, f.request(), func(m nlmsg.Message) {
				k, ok := parseRoute(m.Data)
				if !ok || m.Type != unix.RTM_NEWROUTE || k.Protocol != f.protocol ||
					f.table != 0 && k.Table != f.table || familyOf(k.Destination.Addr()) != f.family {
					return
				}
				if route := k.resolve(name); keep(route) {
					out = append(out, route)
				}
			})
			// There is no such table.
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		return nil
	})
	return out, err
}

// request is the body of the request for a listing.
func (f routeFilter) request() []byte {
	b := make([]byte, unix.SizeofRtMsg)
	b[0], b[5] = f.family, f.protocol
	if f.table != 0 && f.table <= 255 {
		b[4] = byte(f.table)
	}
	if f.table > 255 {
		b = nlmsg.AppendUint32(b, unix.RTA_TABLE, f.table)
	}
	return b
}
