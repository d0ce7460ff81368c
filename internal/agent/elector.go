package agent

import (
	"context"
	"time"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/alarm"
	"github.com/tandem-ha/tandem/internal/host"
	"github.com/tandem-ha/tandem/internal/journal"
	"github.com/tandem-ha/tandem/internal/keeper"
	"github.com/tandem-ha/tandem/vrrp"
)

// elector runs the VRRP machines. One goroutine, the loop, feeds them what
// happened and carries out what they answer; nothing that it calls may block.
// Other goroutines reach it through its two queues only.
type elector struct {
	wire    wire
	keeper  *keeper.Keeper
	record  *host.Record
	ledger  *host.Ledger
	kept    host.Kept
	scribe  *scribe
	journal *journal.Journal
	// mastership is told, on the loop, when an instance became master or ceased
	// to be it.
	mastership func(instance string, master bool)
	// taking is told, on the loop, when an instance asks for its addresses and is
	// not master yet.
	taking func(instance string)
	// hurry makes the links that are polled be asked at once.
	hurry func()

	calls chan func(now time.Time)
	// done is closed when the loop has ended; life ends with it.
	done chan struct{}
	life context.Context

	conf      *config.Config
	instances map[string]*instance // by instance id
	index     index
	alarms    alarm.Board
	moves     []*move
	// maintenance keeps every router from becoming master.
	maintenance bool

	schedule
	surroundings
	watching
	hearing
	posting
	holdings
	// out are what the groups put out; it serves again.
	out []vrrp.GroupOutput
}

// queueLength is how many calls may wait for the loop before whoever brings the
// next one waits too.
const queueLength = 1024

func newElector(w wire, t keeper.Tables, r *host.Record, l *host.Ledger, kept host.Kept, j *journal.Journal) *elector {
	e := &elector{
		wire: w, record: r, ledger: l, kept: kept, journal: j,
		mastership:   func(string, bool) {},
		taking:       func(string) {},
		hurry:        func() {},
		calls:        make(chan func(time.Time), queueLength),
		done:         make(chan struct{}),
		conf:         &config.Config{},
		instances:    map[string]*instance{},
		schedule:     newSchedule(),
		surroundings: newSurroundings(),
		watching:     watching{watches: map[string]*watch{}},
	}
	e.hearing = newHearing(e.receive)
	e.scribe = newScribe(r, func(error) { e.post(func(time.Time) { e.stampErrors++ }) })
	e.keeper = keeper.New(t, l, tenant{e})
	return e
}

// post hands a call to the loop; after the loop's end it is dropped.
func (e *elector) post(call func(now time.Time)) {
	select {
	case e.calls <- call:
		e.wire.Wake()
	case <-e.done:
	}
}

// do hands a call to the loop and waits until it was made. It returns false
// where the loop has ended or ctx is done first.
func (e *elector) do(ctx context.Context, call func(now time.Time)) bool {
	made := make(chan struct{})
	e.post(func(now time.Time) {
		call(now)
		e.hand()
		close(made)
	})
	select {
	case <-made:
		return true
	case <-e.done:
	case <-ctx.Done():
	}
	return false
}

// feed gives an input to one instance.
func (e *elector) feed(now time.Time, in *instance, input vrrp.Input) {
	e.step(now, in.company, vrrp.GroupInput{Member: in.conf.Name, Input: input})
}

// step gives a group an input and carries out what it answers.
func (e *elector) step(now time.Time, c *company, input vrrp.GroupInput) {
	e.out = c.group.Step(now, input, e.out[:0])
	e.agenda.note(c)
	for _, o := range e.out {
		in := c.lone
		if in == nil && o.Member != "" {
			in = e.index.byName[o.Member]
		}
		if o.Member == "" || in == nil {
			e.groupMoved(c.group, o.Output)
		} else {
			e.carryOut(now, in, o.Output)
		}
	}
}

// carryOut does what a router asks for.
func (e *elector) carryOut(now time.Time, in *instance, out vrrp.Output) {
	if o, ok := out.(vrrp.SendAdvert); ok {
		e.send(now, in, o.Packet)
		if o.Packet.Priority != 0 {
			return // what is no news is not looked at further
		}
	}
	in.observe(now, out)
	switch o := out.(type) {
	case vrrp.Acquire:
		for _, a := range o.Addresses {
			in.held[a] = true
		}
		in.serial = o.Serial
		if in.router.State() != vrrp.Master {
			e.taking(in.conf.Name)
		}
		e.hold(in)
	case vrrp.Release:
		for _, a := range o.Addresses {
			delete(in.held, a)
		}
		for name, addrs := range in.byLink(o.Addresses) {
			e.wire.Cancel(e.links[name].Index, addrs...)
		}
		e.hold(in)
	case vrrp.Announce:
		e.flush() // a peer understands them only after the advert
		for name, addrs := range in.byLink(o.Addresses) {
			if link, ok := e.links[name]; ok {
				e.wire.Announce(link, addrs, o.Rounds)
			} else if link := e.linkOf(in.conf); name == "" && link != nil {
				e.wire.Announce(*link, addrs, o.Rounds)
			}
		}
	case vrrp.StateChanged:
		e.moved(in, o)
		e.keepDamping(in)
	case vrrp.Noticed:
		e.noticed(now, in, o)
		e.keepDamping(in)
	case vrrp.Dropped:
		e.unused = true
		in.dropped(o.Reason)
		if o.Detail == "" {
			return // told before, since the last change of state
		}
	case vrrp.Stopped:
		close(in.stopped)
	}
	if ev, ok := describe(in, out); ok {
		e.journal.Add(ev)
	}
	e.settle(now, in, out)
}

// moved follows a router from state to state.
func (e *elector) moved(in *instance, o vrrp.StateChanged) {
	in.watched, in.margin = false, 0
	e.attuned = e.attuned && (o.From == vrrp.Master) == (o.To == vrrp.Master)
	switch {
	case o.To == vrrp.Master:
		in.counters.BecameMaster++
	case o.From == vrrp.Master:
		in.counters.ReleasedMaster++
		e.clear(in)
	}
	if o.From == vrrp.Init && o.To != vrrp.Master || len(in.all) == 0 {
		// What an earlier process left behind goes now; and what comes without
		// addresses comes and goes with the state.
		e.hold(in)
	}
	if (o.From == vrrp.Master) != (o.To == vrrp.Master) {
		e.mastership(in.conf.Name, o.To == vrrp.Master)
		e.repeatExtra(in)
	}
	record := host.InstanceRecord{State: o.To, Hold: in.router.Status().Hold}
	e.scribe.write(func() {
		e.ledger.Update(func(c *host.Contents) {
			if c.Instances == nil {
				c.Instances = map[string]host.InstanceRecord{}
			}
			c.Instances[in.id] = record
		})
	})
}

// groupMoved tells of a sync group's own change of state.
func (e *elector) groupMoved(g *vrrp.Group, out vrrp.Output) {
	o, ok := out.(vrrp.StateChanged)
	if !ok {
		return
	}
	text := "Syncing instances to " + o.To.String() + " state"
	if o.To == vrrp.Init {
		text = "Stopped"
	}
	e.journal.Add(journal.Event{
		Area: journal.VRRP, Kind: "group-state", Level: journal.Notice, Subject: g.Name(), Cause: o.Cause.Detail,
		Text: "VRRP_Group(" + g.Name() + ") " + text,
		Data: change(journal.Group, g.Name(), journal.Stop, o),
	})
}

// served passes on what became of an instance's wish for addresses.
func (e *elector) served(now time.Time, id string, serial uint64, err error) {
	in := e.instances[id]
	if in == nil {
		return
	}
	if err != nil {
		e.journal.Add(journal.Event{Kind: "addresses", Level: journal.Error, Subject: in.conf.Name,
			Text: "(" + in.conf.Name + ") " + err.Error()})
		e.feed(now, in, vrrp.AcquireFailed{Serial: serial, Cause: err.Error()})
		return
	}
	e.feed(now, in, vrrp.Acquired{Serial: serial})
}

// addressLost passes on that somebody else removed an address, unless the
// router let it go meanwhile.
func (e *elector) addressLost(now time.Time, id string, a host.Address) {
	if in := e.instances[id]; in != nil && in.held[a.Prefix.Addr()] {
		e.feed(now, in, vrrp.AddressLost{Addr: a.Prefix.Addr()})
	}
}

// stop ends every router: masters offer for as long as limit, or until now is
// closed. It returns when all have stopped.
func (e *elector) stop(limit time.Duration, now <-chan struct{}) {
	var stopped []chan struct{}
	shut := func(limit time.Duration) func(time.Time) {
		return func(at time.Time) {
			stopped = nil
			for _, in := range e.instances {
				stopped = append(stopped, in.stopped)
			}
			for _, c := range e.companies {
				e.step(at, c, vrrp.GroupInput{Input: vrrp.Shutdown{Limit: limit}})
			}
		}
	}
	if !e.do(context.Background(), shut(limit)) {
		return
	}
	for _, s := range stopped {
		select {
		case <-s:
		case <-now:
			e.do(context.Background(), shut(0))
			return
		}
	}
}
