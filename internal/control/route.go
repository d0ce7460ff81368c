package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/internal/journal"
)

// route is one row of what the interface answers: the handler and the document
// are both made of it.
type route struct {
	method, path string
	// name is the operation's, about a sentence on it.
	name, about string
	need        access
	// query are the parameters behind the question mark.
	query []parameter
	// body and answer are the types of what is sent and answered; nil for none.
	body, answer reflect.Type
	// stream is true where events can be asked for as they come.
	stream bool
	// statuses are those of its own, beside 200 and what every route may answer.
	statuses []int
	serve    func(*exchange) (any, error)
}

// parameter is one that stands in the query, or {in} the path.
type parameter struct {
	name, about string
	// kind is "string", "integer", "duration" or "time"; list ones may repeat.
	kind   string
	list   bool
	inPath bool
	// choices are all the values there are; nil for any.
	choices []string
}

// exchange is one request with what belongs to it.
type exchange struct {
	server *Server
	conn   *clientConn
	caller Caller
	w      http.ResponseWriter
	r      *http.Request
	// content is the request's body, read whole.
	content []byte
}

// order is a request that commands.
type order interface {
	// validate says what is wrong with it in itself, whatever the agent's state.
	validate() error
	// describe names what is to be done, for the journal: "switchover of VI_1".
	describe() string
}

// command makes the row of an order: a JSON body that is checked and noted in
// the journal, with who gave it, before it is carried out.
func command[Request order, Answer any](path, name, about string, carryOut func(context.Context, Agent, Request) (Answer, error)) route {
	return route{
		method: http.MethodPost, path: path, name: name, about: about, need: commanding,
		query:    []parameter{timeoutParameter},
		body:     reflect.TypeFor[Request](),
		answer:   reflect.TypeFor[Answer](),
		statuses: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge},
		serve: func(x *exchange) (any, error) {
			limit, err := x.timeout()
			if err != nil {
				return nil, err
			}
			var req Request
			if err := decode(x.content, &req); err != nil {
				return nil, err
			}
			if err := req.validate(); err != nil {
				return nil, badRequest{err}
			}
			ctx, cancel := context.WithTimeout(x.r.Context(), limit)
			defer cancel()
			x.ordered(name, req.describe(), req)
			out, err := carryOut(ctx, x.server.agent, req)
			if err != nil {
				x.refused(name, req.describe(), err)
				return nil, err
			}
			return out, nil
		},
	}
}

// query makes the row of a question.
func query[Answer any](path, name, about string, params []parameter, ask func(*exchange) (Answer, error)) route {
	rt := route{
		method: http.MethodGet, path: path, name: name, about: about, need: reading, query: params,
		answer: reflect.TypeFor[Answer](),
		serve:  func(x *exchange) (any, error) { return ask(x) },
	}
	for _, p := range params {
		if p.inPath {
			rt.statuses = append(rt.statuses, http.StatusNotFound)
		} else if p.kind != "string" || p.choices != nil {
			rt.statuses = append(rt.statuses, http.StatusBadRequest)
		}
	}
	return rt
}

// timeoutParameter bounds an order that takes time.
var timeoutParameter = parameter{name: "timeout", kind: "duration", about: "How long the outcome may take, as 30s or 2m; 30s unless given, at most 24h."}

// timeout is the limit of an order.
func (x *exchange) timeout() (time.Duration, error) {
	text := x.r.URL.Query().Get(timeoutParameter.name)
	if text == "" {
		return DefaultMoveTimeout, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > MaxMoveTimeout {
		return 0, badRequest{fmt.Errorf("timeout %q is not a duration above 0 and at most %s", text, MaxMoveTimeout)}
	}
	return d, nil
}

// ordered notes an order and who gave it, before anything of it is done.
func (x *exchange) ordered(name, text string, req any) {
	x.server.agent.Journal().Add(journal.Event{
		Kind: "order", Level: journal.Notice, By: x.caller.String(),
		Text: fmt.Sprintf("%s ordered by %s", text, x.caller), Data: journal.Order{Command: name, Request: req},
	})
}

// refused notes why an order was not carried out.
func (x *exchange) refused(name, text string, err error) {
	x.server.agent.Journal().Add(journal.Event{
		Kind: "order-refused", Level: journal.Notice, By: x.caller.String(),
		Text: text + " refused: " + err.Error(), Data: journal.Order{Command: name, Refused: true},
	})
}

// decode reads exactly one JSON value of v's form.
func decode(b []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the body is empty")
		}
		return badRequest{fmt.Errorf("body: %w", err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest{errors.New("body: more than one JSON value")}
	}
	return nil
}
