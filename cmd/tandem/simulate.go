package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/rehearse"
	"github.com/tandem-ha/tandem/vrrp"
	"github.com/tandem-ha/tandem/vrrp/sim"
)

// actionsFlag is the flag --do, which may be given again and again.
type actionsFlag []sim.Action

// String is empty: there is no default.
func (f *actionsFlag) String() string { return "" }

// Set takes one more.
func (f *actionsFlag) Set(v string) error {
	a, err := sim.ParseAction(v)
	if err == nil {
		*f = append(*f, a)
	}
	return err
}

// actionHelp lists what can happen.
func actionHelp() string {
	var out []string
	for _, k := range sim.Kinds() {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

// simulated is what simulate -o json prints.
type simulated struct {
	Seed     uint64          `json:"seed"`
	Duration time.Duration   `json:"duration"`
	Nodes    []simulatedNode `json:"nodes"`
	Notes    []string        `json:"notes,omitempty"`
	Actions  []sim.Action    `json:"actions,omitempty"`
	sim.Result
}

type simulatedNode struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// rehearsal is what the flags ask for.
type rehearsal struct {
	copies, random  *int
	seed            *uint64
	duration, delay *time.Duration
	loss, double    *float64
	actions         actionsFlag
}

func setupSimulate(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	id := f.String("config-id", "", "use the lines that begin with @`ID` in files without an ID of their own")
	r := rehearsal{
		copies:   f.Int("nodes", 1, "take the one file for so many `N` nodes, alike in all"),
		seed:     f.Uint64("seed", 1, "`SEED` of all that is drawn; the same seed gives the same run"),
		duration: f.Duration("duration", time.Minute, "virtual `TIME` to run for"),
		loss:     f.Float64("loss", 0, "`PART` of the packets that is lost, 0 to 1"),
		double:   f.Float64("duplicate", 0, "`PART` of the packets that come twice, 0 to 1"),
		delay:    f.Duration("delay", time.Millisecond, "longest `TIME` that a packet takes"),
		random:   f.Int("random", 0, "have `N` things happen at random, then heal all, and expect one master in the end"),
	}
	f.Var(&r.actions, "do", "`ACTION`, such as \"10s kill lb1 for 5s\"; as often as wanted")
	return func(c *call) int {
		if len(c.args) == 0 {
			return c.fail(errors.New("name the configuration of each node, as in tandem simulate lb1.conf lb2.conf"))
		}
		s, report, err := c.rehearse(r, *id)
		if err != nil {
			return c.fail(err)
		}
		report.Result, err = sim.Run(s, sim.Options{Timeline: true, All: true})
		if err != nil {
			return c.fail(err)
		}
		report.Actions = s.Actions
		if *out == formatJSON {
			err = c.printJSON(report)
		} else {
			_, err = c.stdout.Write(simulatedText(report))
		}
		if err != nil {
			return c.fail(err)
		}
		if len(report.Violations) > 0 {
			return exitDifferent
		}
		return exitOK
	}
}

// rehearse reads the files and makes the scenario.
func (c *call) rehearse(r rehearsal, id string) (sim.Scenario, *simulated, error) {
	list, files, err := c.nodesOf(*r.copies, id)
	if err != nil {
		return sim.Scenario{}, nil, err
	}
	nodes, notes, err := rehearse.Nodes(list)
	if err != nil {
		return sim.Scenario{}, nil, err
	}
	s := sim.Scenario{Seed: *r.seed, Nodes: nodes, Duration: *r.duration, Actions: slices.Clone(r.actions),
		Network: sim.Network{Loss: *r.loss, Duplicate: *r.double, Delay: *r.delay, HostDelay: 5 * time.Millisecond}}
	if *r.random > 0 {
		s = sim.Disturb(s, *r.random)
	}
	slices.SortStableFunc(s.Actions, func(a, b sim.Action) int { return int(a.At - b.At) })
	report := &simulated{Seed: s.Seed, Duration: s.Duration, Notes: notes}
	for i, n := range list {
		report.Nodes = append(report.Nodes, simulatedNode{n.Name, files[i]})
	}
	return s, report, nil
}

// nodesOf reads a file for each node; FILE@ID is FILE as the node reads it whose id is
// ID.
func (c *call) nodesOf(copies int, id string) (list []rehearse.Node, files []string, err error) {
	if copies > 1 && len(c.args) > 1 {
		return nil, nil, errors.New("--nodes takes one file for several nodes; there are several files")
	}
	for _, arg := range c.args {
		file, own := arg, id
		if i := strings.LastIndexByte(arg, '@'); i > 0 && !exists(arg) {
			file, own = arg[:i], arg[i+1:]
		}
		cfg, ds := config.Load(file, config.Options{ID: configID(own)})
		if !config.Runnable(ds) {
			if err := config.Render(c.stderr, ds); err != nil {
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("%s cannot run", file)
		}
		for range max(copies, 1) {
			list = append(list, rehearse.Node{Name: nodeName(file, own), Config: cfg})
			files = append(files, file)
		}
	}
	nameApart(list, files)
	return list, files, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// nodeName is what a node is called: its id, or its file without the ending.
func nodeName(file, id string) string {
	if id != "" {
		return id
	}
	return strings.TrimSuffix(filepath.Base(file), ".conf")
}

// nameApart gives nodes of the same name that of their folder, or a number.
func nameApart(list []rehearse.Node, files []string) {
	alike := func(i int) bool {
		return slices.ContainsFunc(list[:i], func(n rehearse.Node) bool { return n.Name == list[i].Name })
	}
	twice := false
	for i := range list {
		twice = twice || alike(i)
	}
	if !twice {
		return
	}
	for i := range list {
		list[i].Name = filepath.Base(filepath.Dir(files[i]))
	}
	for i := range list {
		if alike(i) || list[i].Name == "." || list[i].Name == "/" {
			for k := range list {
				list[k].Name = fmt.Sprintf("node%d", k+1)
			}
			return
		}
	}
}

// simulatedText is the run for people: what happened, how it ended, and what must not
// be.
func simulatedText(r *simulated) []byte {
	var b strings.Builder
	nodes := "nodes"
	if len(r.Nodes) == 1 {
		nodes = "node"
	}
	fmt.Fprintf(&b, "%d %s for %v, seed %d\n", len(r.Nodes), nodes, r.Duration, r.Seed)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "Note: %s.\n", n)
	}
	b.WriteByte('\n')
	var t table
	for _, m := range r.Timeline {
		change := ""
		if m.To != "" {
			change = m.From + " > " + m.To
		}
		who := strings.TrimSpace(m.Node + " " + m.Instance)
		if who == "" {
			who = "network"
		}
		t.row(m.At.Round(time.Millisecond).String(), who, change, m.Text)
	}
	_ = t.write(&b, "") // a strings.Builder takes everything
	b.WriteString("\nAt the end:\n")
	var end table
	for _, v := range r.Routers {
		for _, m := range v.Members {
			end.row(routerName(v), m.Node, m.Instance, memberState(m), fmt.Sprintf("priority %d", m.Status.Priority), m.Status.Cause.Detail)
		}
		if v.Unserved > 0 {
			end.note(fmt.Sprintf("%s: no node served its addresses for %v in all", routerName(v), precise(v.Unserved)))
		}
	}
	_ = end.write(&b, "  ")
	if len(r.Violations) > 0 {
		b.WriteString("\nNot as it should be:\n")
		for _, v := range r.Violations {
			fmt.Fprintf(&b, "  %v\n", v)
		}
	}
	return []byte(b.String())
}

func routerName(v sim.RouterResult) string {
	family := "IPv4"
	if v.IPv6 {
		family = "IPv6"
	}
	return strings.TrimSpace(fmt.Sprintf("VRID %d %s %s", v.VRID, family, v.Network))
}

func memberState(m sim.MemberResult) string {
	switch s := m.Status; {
	case !m.Running:
		return "not running"
	case s.State == vrrp.Master && s.Offering:
		return "MASTER (offering)"
	case s.Hold:
		return s.State.String() + " (held)"
	default:
		return s.State.String()
	}
}
