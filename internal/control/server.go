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
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/journal"
)

// The server's limits: what a client must keep to so that none can hold the
// agent's resources.
const (
	readLimit     = 10 * time.Second
	writeLimit    = 10 * time.Second
	idleLimit     = 30 * time.Second
	shutdownLimit = time.Second
	maxHeader     = 16 << 10
	// maxConnections is for each listener.
	maxConnections = 128
	// maxPending is how many bytes of answers may wait for their readers before
	// no more are made. The status does not count: all who ask at once share one.
	maxPending = 32 << 20
)

// maxBody is the largest request body that is read, in bytes.
const maxBody = 64 << 10

// Server answers on the control socket and, where that is configured, on TCP.
type Server struct {
	path   string
	file   os.FileInfo
	agent  Agent
	status shared
	// readLimit is how long a client may take to send its request.
	readLimit time.Duration
	socket    *boundedListener
	policy    atomic.Pointer[policy]
	streams   atomic.Int64
	pending   atomic.Int64
	encoding  sync.Mutex
	extra     []extra
	tcp       remote
}

// extra is a handler of another room.
type extra struct {
	pattern string
	need    access
	handler http.Handler
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
	s := &Server{path: path, file: info, agent: agent, readLimit: readLimit, socket: newBoundedListener(l, maxConnections)}
	s.status.make = func() ([]byte, error) { return json.Marshal(agent.Status().whole()) }
	s.policy.Store(&policy{own: uint32(os.Geteuid())})
	s.tcp.wake, s.tcp.retry = make(chan struct{}, 1), retryPace
	return s, nil
}

// Read serves pattern (see http.ServeMux) by another room's handler, to those
// who may read. It is called before Serve.
func (s *Server) Read(pattern string, h http.Handler) {
	s.extra = append(s.extra, extra{pattern, reading, h})
}

// MayCommand says whether who sent a request that Read passes on may command.
func (s *Server) MayCommand(r *http.Request) bool {
	caller, known := CallerOf(r.Context())
	return known && s.policy.Load().check(caller, commanding) == nil
}

// Configure says who may do what from now on, and where to listen beside the
// socket. What cannot be had is an error that names it; the rest is in force.
// A listener that cannot be opened now is opened as soon as it can.
func (s *Server) Configure(api config.API) error {
	p, err := newPolicy(api)
	s.policy.Store(&p)
	gid := -1
	if api.SocketGroup != "" {
		var unknown error
		if gid, unknown = groupID(api.SocketGroup); unknown != nil {
			gid, err = -1, errors.Join(err, unknown)
		}
	}
	mode := os.FileMode(socketMode)
	if api.SocketMode != 0 {
		mode = os.FileMode(api.SocketMode)
	}
	if gid < 0 {
		gid = os.Getegid()
	}
	if failed := errors.Join(os.Chown(s.path, -1, gid), os.Chmod(s.path, mode)); failed != nil {
		err = errors.Join(err, fmt.Errorf("control socket %s: %w", s.path, failed))
	}
	s.tcp.want(api)
	return err
}

// Serve answers until ctx is done, then removes the socket. It returns nil
// after ctx is done and the error that ended it otherwise. It is to be called
// once.
func (s *Server) Serve(ctx context.Context) error {
	defer s.remove()
	// A browser that has a certificate for us shows it for pages of others, too.
	handler := http.NewCrossOriginProtection().Handler(s.handler())
	var tcp sync.WaitGroup
	inner, stop := context.WithCancel(ctx)
	tcp.Go(func() { s.serveTCP(inner, handler) })
	defer tcp.Wait()
	defer stop()
	if err := s.front(ctx, s.socket, handler); err != nil {
		return fmt.Errorf("control socket %s: %w", s.path, err)
	}
	return nil
}

// front answers on one listener until ctx is done.
func (s *Server) front(ctx context.Context, l net.Listener, handler http.Handler) error {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.readLimit,
		ReadTimeout:       s.readLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          silent(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
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
	return s.socket.Close()
}

// remove takes the socket's file away unless another process has put its own
// in its place.
func (s *Server) remove() {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		os.Remove(s.path)
	}
}

// handler answers every request.
func (s *Server) handler() http.Handler {
	table := routes()
	mux, methods := http.NewServeMux(), map[string][]string{}
	for _, rt := range table {
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for _, rt := range table {
		mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { s.serve(rt, w, r) })
	}
	for path, allowed := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.wrongMethod(w, r, path, allowed) })
	}
	for _, e := range s.extra {
		mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { s.lend(e, w, r) })
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, fmt.Errorf("no such path %q; there are %s", r.URL.Path, paths(table)))
	})
	if len(s.extra) == 0 {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s.refuse(w, r, http.StatusNotFound, fmt.Errorf("no such path %q; there are %s", r.URL.Path, paths(table)))
		})
	}
	return mux
}

// connKey is where a request's context has its connection.
type connKey struct{}

// connection is the one that a request came by.
func connection(r *http.Request) (net.Conn, *clientConn) {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	inner := c
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn()
	}
	place, _ := inner.(*clientConn)
	return c, place
}

// admit finds out who asks, and whether they may.
func (s *Server) admit(r *http.Request, need access) (Caller, *clientConn, error) {
	c, place := connection(r)
	caller, err := callerOf(c)
	if err != nil {
		return caller, place, forbidden{err}
	}
	if err := s.policy.Load().check(caller, need); err != nil {
		if need == commanding {
			s.agent.Journal().Add(journal.Event{Kind: "order-forbidden", Level: journal.Warning, By: caller.String(),
				Text: fmt.Sprintf("%s %s by %s is not permitted", r.Method, r.URL.Path, caller)})
		}
		return caller, place, err
	}
	return caller, place, nil
}

// serve answers by a row of the table.
func (s *Server) serve(rt route, w http.ResponseWriter, r *http.Request) {
	caller, place, err := s.admit(r, rt.need)
	defer place.at(waiting)
	if err != nil {
		s.answer(w, place, statusOf(err), errorBody{Error: err.Error()})
		return
	}
	x := &exchange{server: s, conn: place, caller: caller, w: w, r: r.WithContext(WithCaller(r.Context(), caller))}
	if x.content, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		if statusOf(err) != http.StatusRequestEntityTooLarge {
			err = badRequest{fmt.Errorf("body: %w", err)}
		}
		s.answer(w, place, statusOf(err), errorBody{Error: err.Error()})
		return
	}
	// Were the read limit of what has been read to pass while the agent works,
	// the request's context would be cancelled.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	place.at(working)
	v, err := x.carryOut(rt)
	switch {
	case err != nil:
		code := statusOf(err)
		if _, ok := errors.AsType[panicked](err); ok {
			code = http.StatusInternalServerError
		}
		var body any = errorBody{Error: err.Error()}
		if u, ok := errors.AsType[unprocessable](err); ok {
			body = u.body
		}
		s.answer(w, place, code, body)
	case v != nil:
		s.answer(w, place, http.StatusOK, v)
	}
}

// panicked is a fault in an answer, which must not look like a dead agent.
type panicked struct{ error }

func (x *exchange) carryOut(rt route) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, panicked{fmt.Errorf("internal error: %v", p)}
		}
	}()
	if rt.need != reading || rt.path == pathStatus {
		return rt.serve(x)
	}
	if err := x.server.room(); err != nil {
		return nil, err
	}
	v, err = rt.serve(x)
	if _, made := v.(json.RawMessage); v != nil && !made {
		v = bounded{v}
	}
	return v, err
}

// bounded is an answer of which there must not be too many at once.
type bounded struct{ v any }

// room is an error while too much waits to be read.
func (s *Server) room() error {
	if s.pending.Load() > maxPending {
		return busy{errors.New("too many answers wait for their readers; try again")}
	}
	return nil
}

// encode makes JSON of an answer and counts it among what waits to be read, until
// done is called. Of what is bounded one is made at a time: a crowd that has been
// let in while there was room finds out here that there is none.
func (s *Server) encode(code int, v any) (_ int, b []byte, done func()) {
	if limited, ok := v.(bounded); ok {
		s.encoding.Lock()
		defer s.encoding.Unlock()
		v = limited.v
		if err := s.room(); err != nil {
			code, v = statusOf(err), errorBody{Error: err.Error()}
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		code = http.StatusInternalServerError
		b, _ = json.Marshal(errorBody{Error: "internal error: " + err.Error()})
	}
	s.pending.Add(int64(len(b)))
	return code, b, func() { s.pending.Add(-int64(len(b))) }
}

// lend has another room's handler answer.
func (s *Server) lend(e extra, w http.ResponseWriter, r *http.Request) {
	caller, place, err := s.admit(r, e.need)
	defer place.at(waiting)
	if err != nil {
		s.answer(w, place, statusOf(err), errorBody{Error: err.Error()})
		return
	}
	place.at(answering)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit))
	e.handler.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
}

func (s *Server) wrongMethod(w http.ResponseWriter, r *http.Request, path string, allowed []string) {
	for _, m := range allowed {
		w.Header().Add("Allow", m)
	}
	s.refuse(w, r, http.StatusMethodNotAllowed, fmt.Errorf("method %s is not allowed for %s: use %s", r.Method, path, allowed[0]))
}

// refuse answers what no row answers; who may not even read learns nothing.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, code int, err error) {
	_, place, forbidden := s.admit(r, reading)
	if forbidden != nil {
		code, err = statusOf(forbidden), forbidden
	}
	s.answer(w, place, code, errorBody{Error: err.Error()})
}

// answer writes v as JSON. A client that does not read is given up after
// writeLimit.
func (s *Server) answer(w http.ResponseWriter, place *clientConn, code int, v any) {
	place.at(answering)
	b, shared := v.(json.RawMessage)
	if !shared {
		var done func()
		code, b, done = s.encode(code, v)
		defer done()
	}
	// Not every ResponseWriter has deadlines; without one the idle limit acts.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	if _, err := w.Write(b); err == nil {
		_, _ = io.WriteString(w, "\n")
	}
}
