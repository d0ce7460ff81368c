// Package peers reads the unicast peers of a router from a file or a DNS name while
// the program runs, and tells each time that they have changed. What a router does
// with its peers is not known here.
package peers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"
)

const (
	// fileInterval is how often a file is read: it is small, and this also sees
	// what replaces a link or a whole folder.
	fileInterval = time.Second
	// lookupLimit bounds one look-up of a name.
	lookupLimit = 5 * time.Second
	// retryInterval is the wait after a look-up that failed, unless the interval
	// is shorter.
	retryInterval = 5 * time.Second
)

// Source says where the peers are to be found. What is in several places counts
// together.
type Source struct {
	File, DNS string
	// IPv6 is the family that counts; addresses of the other are passed over.
	IPv6 bool
	// Interval is the longest time between two look-ups of DNS.
	Interval time.Duration
}

// Found is what a Source holds. Where one of its places cannot be read, Err says so
// and Peers are those that were read there last.
type Found struct {
	Peers []netip.Addr
	Err   error
}

// Watch reads until ctx is done. report is told what was found first, and then each
// time that the peers, or whether they can be read, have changed.
func Watch(ctx context.Context, s Source, report func(Found)) {
	w := watch{source: s, lookup: resolve}
	w.run(ctx, report)
}

// watch is the state of a Watch.
type watch struct {
	source Source
	lookup func(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, time.Duration, error)

	fromFile, fromDNS []netip.Addr
	fileErr, dnsErr   error
	fileAt, dnsAt     time.Time // when to read next
}

func (w *watch) run(ctx context.Context, report func(Found)) {
	var told *Found
	for {
		w.read(ctx)
		if ctx.Err() != nil {
			return
		}
		now := w.found()
		if told == nil || !slices.Equal(now.Peers, told.Peers) || text(now.Err) != text(told.Err) {
			report(now)
			told = &now
		}
		select {
		case <-time.After(time.Until(w.next())):
		case <-ctx.Done():
			return
		}
	}
}

// read reads what is due.
func (w *watch) read(ctx context.Context) {
	now := time.Now()
	if w.source.File != "" && !now.Before(w.fileAt) {
		w.fileAt = now.Add(fileInterval)
		var list []netip.Addr
		content, err := os.ReadFile(w.source.File)
		if err == nil {
			list, err = parse(string(content))
		}
		if w.fileErr = err; err == nil {
			w.fromFile = list
		} else {
			w.fileErr = fmt.Errorf("%s: %w", w.source.File, err)
		}
	}
	if w.source.DNS != "" && !now.Before(w.dnsAt) {
		limit, cancel := context.WithTimeout(ctx, lookupLimit)
		defer cancel()
		list, ttl, err := w.lookup(limit, w.source.DNS, w.source.IPv6)
		wait := w.source.Interval
		if ttl > 0 {
			wait = min(wait, ttl)
		}
		if w.dnsErr = err; err == nil {
			w.fromDNS = list
		} else {
			wait = min(wait, retryInterval)
		}
		w.dnsAt = time.Now().Add(wait)
	}
}

func (w *watch) found() Found {
	f := Found{Peers: canonical(slices.Concat(w.fromFile, w.fromDNS), w.source.IPv6), Err: w.fileErr}
	if f.Err == nil {
		f.Err = w.dnsErr
	}
	return f
}

// next is when something is to be read again.
func (w *watch) next() time.Time {
	switch {
	case w.source.File == "":
		return w.dnsAt
	case w.source.DNS == "" || w.fileAt.Before(w.dnsAt):
		return w.fileAt
	default:
		return w.dnsAt
	}
}

// text is an error's, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
