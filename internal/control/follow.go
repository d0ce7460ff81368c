package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/tandem-ha/tandem/internal/journal"
)

// ErrBehind says that the agent ended a stream of events because its reader was
// too slow. What was missed can be asked for by the last sequence number.
var ErrBehind = errors.New("the agent cut the stream of events, which was read too slowly")

// maxEventLine bounds one event on the wire, in bytes.
const maxEventLine = 1 << 20

// Follow passes the events that are chosen to f, those kept and then each as it
// comes, until ctx is done, f returns an error, or the connection ends. The error
// is ctx's, f's, or says why the connection ended; io.EOF where the agent ended it.
func (c *Client) Follow(ctx context.Context, q EventQuery, f func(journal.Event) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+pathEvents+"?"+q.values().Encode(), nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", eventStream)
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return c.refusal(resp, b)
	}
	err = readEvents(resp.Body, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// readEvents reads server-sent events, each with its data on one line.
func readEvents(r io.Reader, f func(journal.Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventLine)
	kind := ""
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			if kind == "behind" {
				return ErrBehind
			}
			var e journal.Event
			if err := json.Unmarshal(value, &e); err != nil {
				return fmt.Errorf("an event of the agent is not understood (another version?): %w", err)
			}
			if err := f(e); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}
