package control

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/drift"
	"github.com/tandem-ha/tandem/internal/journal"
)

// The paths of the interface, version 1.
const (
	pathStatus   = "/v1/status"
	pathInstance = "/v1/instances/{name}"
	pathService  = "/v1/virtual-servers/{name}"
	pathMove     = "/v1/move"
	pathReload   = "/v1/reload"
	pathPlan     = "/v1/plan"
	pathConfig   = "/v1/config"

	pathMaintenance = "/v1/maintenance"
	pathServers     = "/v1/servers"
	pathChecks      = "/v1/checks"
	pathLogLevel    = "/v1/log-level"

	pathEvents   = "/v1/events"
	pathDocument = "/v1/openapi.json"
)

// document describes the interface; a test holds it against routes.
//
//go:generate go test . -run TestDocumentIsCurrent -update
//go:embed openapi.json
var document []byte

// eventsBody is the answer to a request for events.
type eventsBody struct {
	Events []journal.Event `json:"events"`
}

// routes is the table of all that the interface answers.
func routes() []route {
	name := func(about string) []parameter {
		return []parameter{{name: "name", kind: "string", inPath: true, about: about}}
	}
	return []route{
		query(pathStatus, "status", "What the agent does and why: instances, groups, scripts, virtual servers, overrides.", nil,
			func(x *exchange) (json.RawMessage, error) { return x.server.status.get() }).answers(reflect.TypeFor[Status]()),
		query(pathInstance, "instance", "One VRRP instance.", name("The instance's name."), (*exchange).instance),
		query(pathService, "virtual-server", "One virtual server with its real servers and their checks.", name("The virtual server's name, as status shows it."), (*exchange).service),
		command(pathMove, "move", "Moves instances by hand: switchover, failover, or the end of either.",
			func(ctx context.Context, a Agent, m MoveRequest) (MoveResponse, error) { return a.Move(ctx, m) }),
		{
			method: http.MethodPost, path: pathReload, name: "reload", need: commanding,
			about:    "Reads the configuration again. One that cannot run changes nothing, and the answer says what is wrong. With the ID of a plan, does what that has said or nothing.",
			body:     reflect.TypeFor[ReloadRequest](),
			answer:   reflect.TypeFor[ReloadResponse](),
			statuses: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity},
			serve:    (*exchange).reload,
		},
		query(pathConfig, "config", "The configuration that is in force, with every default; secrets only as marks that tell whether two are the same.", nil,
			func(x *exchange) (json.RawMessage, error) { return drift.Shared(x.server.agent.Status().Config) }).answers(reflect.TypeFor[config.Config]()).or(http.StatusConflict),
		query(pathPlan, "plan", "What a reload would change, in the configuration and in the kernel, and what traffic that touches.", nil,
			func(x *exchange) (PlanResponse, error) { return x.server.agent.Plan(x.r.Context()), nil }),
		command(pathMaintenance, "maintenance", "Keeps this node from becoming master, or ends that. A master hands over first.",
			func(ctx context.Context, a Agent, m MaintenanceRequest) (MaintenanceResponse, error) {
				return a.Maintain(ctx, m)
			}),
		command(pathServers, "servers", "Drains a real server, gives it another weight, or ends either.",
			func(ctx context.Context, a Agent, r ServerRequest) (ServerResponse, error) { return a.Server(ctx, r) }),
		command(pathChecks, "checks", "Makes health checks now, pauses them, or ends that.",
			func(ctx context.Context, a Agent, r CheckRequest) (CheckResponse, error) { return a.Check(ctx, r) }),
		query(pathLogLevel, "log-level", "How much is logged.", nil,
			func(x *exchange) (LogLevelResponse, error) {
				return LogLevelResponse{Level: x.server.agent.LogLevel()}, nil
			}),
		command(pathLogLevel, "set-log-level", "Changes how much is logged, until the process ends.",
			func(_ context.Context, a Agent, r LogLevelRequest) (LogLevelResponse, error) {
				return LogLevelResponse{Level: r.Level, Before: a.SetLogLevel(r.Level)}, nil
			}).neither(http.StatusNotFound, http.StatusConflict),
		events(),
		query(pathDocument, "document", "This document.", nil,
			func(*exchange) (json.RawMessage, error) { return document, nil }),
	}
}

// neither takes away statuses that a row never answers.
func (rt route) neither(codes ...int) route {
	rt.statuses = slices.DeleteFunc(rt.statuses, func(c int) bool { return slices.Contains(codes, c) })
	return rt
}

// answers gives a row the type of an answer that is made elsewhere.
func (rt route) answers(t reflect.Type) route {
	rt.answer = t
	return rt
}

// or gives a row statuses of its own.
func (rt route) or(statuses ...int) route {
	rt.statuses = append(slices.Clone(rt.statuses), statuses...)
	return rt
}

// paths lists the paths that there are, for who has lost the way.
func paths(table []route) string {
	all := map[string]bool{}
	for _, rt := range table {
		all[rt.path] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

func (x *exchange) instance() (InstanceStatus, error) {
	s := x.server.agent.Status()
	var names []string
	for _, in := range s.Instances {
		if in.Name == x.r.PathValue("name") {
			return in.whole(), nil
		}
		names = append(names, in.Name)
	}
	return InstanceStatus{}, &NotFoundError{NoSuch("instance", x.r.PathValue("name"), names)}
}

func (x *exchange) service() (ServiceStatus, error) {
	s := x.server.agent.Status()
	var names []string
	for _, v := range s.Services {
		if v.Name == x.r.PathValue("name") {
			return v.whole(), nil
		}
		names = append(names, v.Name)
	}
	return ServiceStatus{}, &NotFoundError{NoSuch("virtual server", x.r.PathValue("name"), names)}
}

// NoSuch says that there is nothing of that kind and name, and what there is.
func NoSuch(kind, name string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("no %s %q: none is configured", kind, name)
	}
	return fmt.Errorf("no %s %q; configured: %s", kind, name, strings.Join(names, ", "))
}

func (x *exchange) reload() (any, error) {
	var req ReloadRequest
	if len(bytes.TrimSpace(x.content)) > 0 {
		if err := decode(x.content, &req); err != nil {
			return nil, err
		}
	}
	text := "reload"
	if req.Plan != "" {
		text += " of plan " + req.Plan
	}
	x.ordered("reload", text, req)
	r := x.server.agent.Reload(x.r.Context(), req)
	if !r.OK {
		return nil, unprocessable{errors.New(r.Err), r}
	}
	return r, nil
}
