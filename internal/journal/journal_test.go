package journal

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func seqs(events []Event) []uint64 {
	var out []uint64
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestAddNumbersAndDates(t *testing.T) {
	var got []Event
	j := New(10, clock, func(e Event) { got = append(got, e) })
	j.Add(Event{Kind: "a", Seq: 99})
	j.Add(Event{Kind: "b", Time: noon.Add(time.Hour)})
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 || !got[0].Time.Equal(noon) || !got[1].Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("sink got %+v", got)
	}
}

func TestSinksAreCalledInOrder(t *testing.T) {
	var order []string
	j := New(1, clock, func(Event) { order = append(order, "first") }, func(Event) { order = append(order, "second") })
	j.Add(Event{})
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("order %v", order)
	}
}

func TestEventsKeepsTheLast(t *testing.T) {
	j := New(3, clock)
	if j.Events(0) != nil {
		t.Error("events of an empty journal")
	}
	for range 8 {
		j.Add(Event{})
	}
	for after, want := range map[uint64][]uint64{0: {6, 7, 8}, 6: {7, 8}, 8: nil, 100: nil} {
		if got := seqs(j.Events(after)); !slices.Equal(got, want) {
			t.Errorf("after %d: %v, want %v", after, got, want)
		}
	}
	one := New(0, clock)
	one.Add(Event{})
	one.Add(Event{})
	if got := seqs(one.Events(0)); !slices.Equal(got, []uint64{2}) {
		t.Errorf("the smallest journal keeps %v", got)
	}
}

func TestAreaComesFromData(t *testing.T) {
	j := New(20, clock)
	for _, tc := range []struct {
		data any
		want Area
	}{
		{StateChange{}, VRRP}, {PriorityChange{}, VRRP}, {LowerPriority{}, VRRP}, {ScriptChange{}, VRRP},
		{ServerChange{}, Checks}, {WeightChange{}, Checks}, {QuorumChange{}, Checks}, {nil, Main},
	} {
		j.Add(Event{Data: tc.data})
		if e := j.Events(0); e[len(e)-1].Area != tc.want {
			t.Errorf("%T is about %q", tc.data, e[len(e)-1].Area)
		}
	}
	j.Add(Event{Data: StateChange{}, Area: Checks})
	if e := j.Events(0); e[len(e)-1].Area != Checks {
		t.Error("a given area was replaced")
	}
}

func TestEventMarshals(t *testing.T) {
	j := New(1, clock)
	j.Add(Event{Kind: "state", Level: Notice, Subject: "VI_1", Text: "(VI_1) Entering MASTER STATE", Cause: "no advert",
		Data: StateChange{Kind: Instance, Name: "VI_1", From: Backup, To: Master, Priority: 150, Cause: "no advert"}})
	b, err := json.Marshal(j.Events(0)[0])
	want := `{"seq":1,"time":"2026-01-01T12:00:00Z","kind":"state","level":"notice","area":"vrrp","subject":"VI_1",` +
		`"text":"(VI_1) Entering MASTER STATE","cause":"no advert","data":{"kind":"INSTANCE","name":"VI_1",` +
		`"from":"BACKUP","to":"MASTER","priority":150,"cause":"no advert"}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, error %v\nwant %s", b, err, want)
	}
}

func TestSubscribeMissesNothing(t *testing.T) {
	j := New(100, clock)
	for range 3 {
		j.Add(Event{})
	}
	kept, s := j.Subscribe(1, 10)
	j.Add(Event{})
	j.Add(Event{})
	s.Close()
	s.Close()
	j.Add(Event{})
	got := seqs(kept)
	for e := range s.Events() {
		got = append(got, e.Seq)
	}
	if !slices.Equal(got, []uint64{2, 3, 4, 5}) || s.Dropped() != 0 {
		t.Errorf("got %v, %d dropped", got, s.Dropped())
	}
	if len(j.followers) != 0 {
		t.Error("a closed subscription is kept")
	}
}

func TestSubscriptionDropsAndCounts(t *testing.T) {
	j := New(1, clock)
	_, slow := j.Subscribe(0, 2)
	_, other := j.Subscribe(0, 0)
	for range 5 {
		j.Add(Event{})
	}
	if slow.Dropped() != 3 || other.Dropped() != 4 {
		t.Errorf("%d and %d dropped", slow.Dropped(), other.Dropped())
	}
	if e := <-slow.Events(); e.Seq != 1 {
		t.Errorf("event %d came first", e.Seq)
	}
	j.Add(Event{})
	if <-slow.Events(); (<-slow.Events()).Seq != 6 {
		t.Error("what came after room was made is missing")
	}
}

// Followers come and go while events are added.
func TestSubscribeWhileAdding(t *testing.T) {
	j := New(1000, clock)
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 200 {
				j.Add(Event{})
			}
		})
		work.Go(func() {
			for range 50 {
				kept, s := j.Subscribe(0, 1000)
				s.Close()
				last := uint64(len(kept))
				for e := range s.Events() {
					if e.Seq != last+1 {
						t.Errorf("event %d follows %d", e.Seq, last)
					}
					last = e.Seq
				}
			}
		})
	}
	work.Wait()
	if got := len(j.Events(0)); got != 800 {
		t.Errorf("%d events", got)
	}
}
