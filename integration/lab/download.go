package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// The stream of a Web: blocks of streamBlock bytes, each at its pace, for ever.
const (
	streamBlock = 16 << 10
	streamPace  = 20 * time.Millisecond
)

// streamByte is the byte at a place in the stream. Its period has no factor in
// common with the size of a segment, so that no lost piece goes unseen.
func streamByte(at int) byte { return byte(at % 251) }

// stream sends bytes that a Download knows, until the client has gone.
func stream(w http.ResponseWriter, r *http.Request) {
	block := make([]byte, streamBlock)
	pace := time.NewTicker(streamPace)
	defer pace.Stop()
	for sent := 0; ; sent += len(block) {
		for i := range block {
			block[i] = streamByte(sent + i)
		}
		if _, err := w.Write(block); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-pace.C:
		case <-r.Context().Done():
			return
		}
	}
}

// Download is a response without end that a client reads as it comes.
type Download struct {
	// From is the client's end of the connection.
	From netip.AddrPort

	conn net.Conn

	mu      sync.Mutex
	changed chan struct{}
	read    int
	err     error
}

// Download asks a Web for its stream, on a connection of its own.
func (h *Host) Download(ctx context.Context, addr netip.AddrPort) (*Download, error) {
	conn, err := h.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	h.owns(conn)
	if _, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return nil, err
	}
	d := &Download{From: localEnd(conn), conn: conn, changed: make(chan struct{})}
	go d.follow()
	return d, nil
}

// localEnd is where a TCP connection begins.
func localEnd(c net.Conn) netip.AddrPort {
	a, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return a.AddrPort()
}

// follow reads and compares until the connection ends.
func (d *Download) follow() {
	resp, err := http.ReadResponse(bufio.NewReader(d.conn), nil)
	if err != nil {
		d.note(0, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, streamBlock)
	for at := 0; ; {
		n, err := resp.Body.Read(buf)
		for i, b := range buf[:n] {
			if b != streamByte(at+i) {
				d.note(0, fmt.Errorf("byte %d is wrong", at+i))
				return
			}
		}
		at += n
		if d.note(n, err); err != nil {
			return
		}
	}
}

func (d *Download) note(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read += n
	d.err = err
	close(d.changed)
	d.changed = make(chan struct{})
}

// More waits until n bytes more have come.
func (d *Download) More(ctx context.Context, n int) error {
	goal := -1
	for {
		d.mu.Lock()
		read, err, changed := d.read, d.err, d.changed
		d.mu.Unlock()
		if goal < 0 {
			goal = read + n
		}
		switch {
		case read >= goal:
			return nil
		case err != nil:
			return fmt.Errorf("the download ended after %d bytes: %w", read, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the download stands still after %d bytes: %w", read, errors.Join(ctx.Err(), context.Cause(ctx)))
		}
	}
}
