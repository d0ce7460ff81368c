package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tandem-ha/tandem/internal/journal"
)

// The server's limits: what a client must keep to so that none can hold the
// agent's resources.
const (
	readLimit      = 10 * time.Second
	writeLimit     = 10 * time.Second
	idleLimit      = 30 * time.Second
	shutdownLimit  = time.Second
	maxHeader      = 16 << 10
	maxConnections = 64
)

// Server answers on the control socket.
type Server struct {
	path     string
	file     os.FileInfo
	listener *net.UnixListener
	agent    Agent
	// readLimit is how long a client may take to send its request.
	readLimit time.Duration
}

// Listen binds the control socket at path, which has mode 0660, and returns a
// server for agent. The error wraps ErrInUse where another process serves
// there; a socket that was left behind is replaced.
func Listen(path string, agent Agent) (*Server, error) {
	l, err := listen(path)
	if err != nil {
		return nil, err
	}
	// The file is removed by Serve, and only while it is still ours.
	l.SetUnlinkOnClose(false)
	info, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return &Server{path: path, file: info, listener: l, agent: agent, readLimit: readLimit}, nil
}

// Serve answers until ctx is done, then removes the socket. It returns nil
// after ctx is done and the error that ended it otherwise. It is to be called
// once.
func (s *Server) Serve(ctx context.Context) error {
	defer s.remove()
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: s.readLimit,
		ReadTimeout:       s.readLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(netutil.LimitListener(s.listener, maxConnections)) }()
	select {
	case err := <-done:
		return fmt.Errorf("control socket %s: %w", s.path, err)
	case <-ctx.Done():
	}
	// The requests under way see ctx done and end; one that does not is cut.
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if srv.Shutdown(limit) != nil {
		srv.Close()
	}
	<-done
	return nil
}

// Close gives the socket up without serving. It is for a start that fails
// after Listen.
func (s *Server) Close() error {
	defer s.remove()
	return s.listener.Close()
}

// remove takes the socket's file away unless another process has put its own
// in its place.
func (s *Server) remove() {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		os.Remove(s.path)
	}
}

// endpoint is one path of the interface.
type endpoint struct {
	method string
	serve  func(w http.ResponseWriter, r *http.Request) (any, error)
}

func (s *Server) handler() http.Handler {
	endpoints := map[string]endpoint{
		pathStatus: {http.MethodGet, s.status},
		pathMove:   {http.MethodPost, s.move},
		pathReload: {http.MethodPost, s.reload},
		pathEvents: {http.MethodGet, s.events},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			// A fault in one answer must not look like a dead agent.
			if p := recover(); p != nil {
				answer(w, http.StatusInternalServerError, errorBody{fmt.Sprintf("internal error: %v", p)})
			}
		}()
		e, ok := endpoints[r.URL.Path]
		if !ok {
			answer(w, http.StatusNotFound, errorBody{fmt.Sprintf("no such path %q; there are %s, %s, %s, %s",
				r.URL.Path, pathStatus, pathMove, pathReload, pathEvents)})
			return
		}
		if r.Method != e.method {
			w.Header().Set("Allow", e.method)
			answer(w, http.StatusMethodNotAllowed, errorBody{fmt.Sprintf("method %s is not allowed for %s: use %s", r.Method, r.URL.Path, e.method)})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := e.serve(w, r)
		if err != nil {
			answer(w, statusOf(err), errorBody{err.Error()})
			return
		}
		answer(w, http.StatusOK, v)
	})
}

// badRequest is an error of the client's making.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

// statusOf is the HTTP status that tells of err.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if _, ok := errors.AsType[badRequest](err); ok {
		return http.StatusBadRequest
	}
	return http.StatusConflict
}

// answer writes v as JSON. A client that does not read is given up after
// writeLimit.
func answer(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		code = http.StatusInternalServerError
		b, _ = json.Marshal(errorBody{"internal error: " + err.Error()})
	}
	// Not every ResponseWriter has deadlines; without one the idle limit acts.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}

func (s *Server) status(http.ResponseWriter, *http.Request) (any, error) {
	return s.agent.Status(), nil
}

func (s *Server) move(w http.ResponseWriter, r *http.Request) (any, error) {
	limit := DefaultMoveTimeout
	if text := r.URL.Query().Get("timeout"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > MaxMoveTimeout {
			return nil, badRequest{fmt.Errorf("timeout %q is not a duration above 0 and at most %s", text, MaxMoveTimeout)}
		}
		limit = d
	}
	var m MoveRequest
	if err := decode(r.Body, &m); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, badRequest{err}
	}
	unlimited(w)
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	out, err := s.agent.Move(ctx, m)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := empty(r.Body); err != nil {
		return nil, err
	}
	unlimited(w)
	return s.agent.Reload(r.Context()), nil
}

// unlimited ends the read limit of a request that has been read: were it to
// pass while the agent works, the request's context would be cancelled.
func unlimited(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

func (s *Server) events(_ http.ResponseWriter, r *http.Request) (any, error) {
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, badRequest{fmt.Errorf("after %q is not a sequence number", text)}
		}
		after = n
	}
	events := s.agent.Events(after)
	if events == nil {
		events = []journal.Event{}
	}
	return eventsBody{Events: events}, nil
}

// decode reads exactly one JSON value of v's form.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the body is empty")
		}
		return badRequest{fmt.Errorf("body: %w", err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return err
		}
		return badRequest{errors.New("body: more than one JSON value")}
	}
	return nil
}

// empty accepts a body with nothing in it, or an empty JSON object.
func empty(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return badRequest{fmt.Errorf("body: %w", err)}
	}
	if t := strings.TrimSpace(string(b)); t != "" && t != "{}" {
		return badRequest{errors.New("body: there must be none")}
	}
	return nil
}
