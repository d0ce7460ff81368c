package control

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// maxAnswer bounds what a client reads, in bytes: the status of ten thousand
// real servers is a tenth of it.
const maxAnswer = 64 << 20

// moveGrace is how much longer than the agent a client waits for the outcome
// of an order, so that the agent's own account of a timeout arrives.
const moveGrace = 5 * time.Second

// NotRunningError says that no agent serves the socket.
type NotRunningError struct {
	Socket string
	// Stale is true where there is a socket that nobody answers at.
	Stale bool
}

// Error names the socket, and says how to name another one.
func (e *NotRunningError) Error() string {
	if e.Stale {
		return fmt.Sprintf("tandem is not running: nobody answers at %s", e.Socket)
	}
	return fmt.Sprintf("tandem is not running: no socket at %s", e.Socket)
}

// RefusedError is an agent's refusal of a request.
type RefusedError struct {
	// Status is the HTTP status.
	Status int
	Text   string
}

// Error is the agent's text.
func (e *RefusedError) Error() string { return e.Text }

// Client asks an agent through its control socket. It is safe for use by
// several goroutines.
type Client struct {
	// socket names the agent in errors; base begins the URL of every request.
	socket, base string
	http         *http.Client
}

// NewClient returns a client for the socket. Nothing is opened yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, base: "http://tandem", http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// NewRemoteClient returns a client for an agent's listener at addr, a host and
// port. conf has the client's certificate and whom it believes.
func NewRemoteClient(addr string, conf *tls.Config) *Client {
	return &Client{socket: addr, base: "https://" + addr, http: &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}}}
}

// Status asks for the agent's state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

// Move gives an order and waits for its outcome, for which the agent has the
// timeout given; zero is DefaultMoveTimeout.
func (c *Client) Move(ctx context.Context, m MoveRequest, timeout time.Duration) (MoveResponse, error) {
	var out MoveResponse
	err := c.order(ctx, pathMove, m, timeout, &out)
	return out, err
}

// order gives an order, for whose outcome the agent has the timeout.
func (c *Client) order(ctx context.Context, path string, in any, timeout time.Duration, out any) error {
	if timeout <= 0 {
		timeout = DefaultMoveTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+moveGrace)
	defer cancel()
	return c.do(ctx, http.MethodPost, path+"?"+url.Values{timeoutParameter.name: {timeout.String()}}.Encode(), in, out)
}

// Maintain begins or ends maintenance, and waits for its outcome as Move does.
func (c *Client) Maintain(ctx context.Context, m MaintenanceRequest, timeout time.Duration) (MaintenanceResponse, error) {
	var out MaintenanceResponse
	err := c.order(ctx, pathMaintenance, m, timeout, &out)
	return out, err
}

// Server orders something of a real server, and waits for its outcome as Move does.
func (c *Client) Server(ctx context.Context, r ServerRequest, timeout time.Duration) (ServerResponse, error) {
	var out ServerResponse
	err := c.order(ctx, pathServers, r, timeout, &out)
	return out, err
}

// Check orders something of health checks, and waits for its outcome as Move does.
func (c *Client) Check(ctx context.Context, r CheckRequest, timeout time.Duration) (CheckResponse, error) {
	var out CheckResponse
	err := c.order(ctx, pathChecks, r, timeout, &out)
	return out, err
}

// LogLevel asks how much is logged.
func (c *Client) LogLevel(ctx context.Context) (LogLevelResponse, error) {
	var out LogLevelResponse
	err := c.do(ctx, http.MethodGet, pathLogLevel, nil, &out)
	return out, err
}

// SetLogLevel changes how much is logged.
func (c *Client) SetLogLevel(ctx context.Context, l LogLevel) (LogLevelResponse, error) {
	var out LogLevelResponse
	err := c.order(ctx, pathLogLevel, LogLevelRequest{Level: l}, 0, &out)
	return out, err
}

// Reload has the agent read its configuration again. A configuration that
// cannot run is no error: the answer says so.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (ReloadResponse, error) {
	var out ReloadResponse
	err := c.do(ctx, http.MethodPost, pathReload, r, &out)
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Status == http.StatusUnprocessableEntity {
		return out, nil
	}
	return out, err
}

// Plan asks what a reload would change.
func (c *Client) Plan(ctx context.Context) (PlanResponse, error) {
	var out PlanResponse
	err := c.do(ctx, http.MethodGet, pathPlan, nil, &out)
	return out, err
}

// Config asks for the configuration in force, as drift.Shared has it.
func (c *Client) Config(ctx context.Context) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, http.MethodGet, pathConfig, nil, &out)
	return out, err
}

// Events asks for the kept events that are chosen.
func (c *Client) Events(ctx context.Context, q EventQuery) ([]journal.Event, error) {
	var out eventsBody
	err := c.do(ctx, http.MethodGet, pathEvents+"?"+q.values().Encode(), nil, &out)
	return out.Events, err
}

// attempts is how often a question is asked where the connection ends before it
// is answered: on a busy machine we may have been too slow to ask it in a crowd.
const attempts = 10

// do sends one request and decodes the answer into out. What only asks is asked
// again where the connection ends.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	for i := 1; ; i++ {
		err := c.try(ctx, method, path, in, out)
		if _, ended := errors.AsType[*endedError](err); !ended || method != http.MethodGet || i == attempts {
			return err
		}
	}
}

// closedIdle is what net/http says, in a value that it keeps to itself, of a connection
// that was ended before it had written the request.
const closedIdle = "server closed idle connection"

// endedError is a connection that the agent has ended without an answer.
type endedError struct{ socket string }

func (e *endedError) Error() string {
	return fmt.Sprintf("the agent at %s ended the connection: it is stopping, or has died", e.socket)
}

// try sends one request once.
func (c *Client) try(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.explain(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		// What could not be carried out is answered in the form of what is.
		_ = json.Unmarshal(b, out)
		return c.refusal(resp, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the answer of the agent at %s is not understood (another version?): %w", c.socket, err)
	}
	return nil
}

// refusal is an answer that is not a success.
func (c *Client) refusal(resp *http.Response, body []byte) error {
	var e errorBody
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		e.Error = fmt.Sprintf("the agent at %s answered %s", c.socket, resp.Status)
	}
	return &RefusedError{Status: resp.StatusCode, Text: e.Error}
}

// explain turns a failure to talk into what a person can act on.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &NotRunningError{Socket: c.socket}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &NotRunningError{Socket: c.socket, Stale: true}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to use %s: be root, or in the socket's group: %w", c.socket, err)
	case ctx.Err() != nil:
		return fmt.Errorf("the agent at %s did not answer in time: %w", c.socket, ctx.Err())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.HasSuffix(err.Error(), closedIdle):
		return &endedError{c.socket}
	}
	return fmt.Errorf("ask the agent at %s: %w", c.socket, err)
}
