package vrrp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the vectors give now over testdata/*/out.jsonl")

// A recorded line of in.jsonl; out.jsonl has the same with Outputs for Input.
type recorded struct {
	At      time.Time         `json:"at"`
	Member  string            `json:"member,omitempty"`
	Input   json.RawMessage   `json:"input,omitempty"`
	Outputs []json.RawMessage `json:"outputs,omitempty"`
}

// TestVectors gives each recorded run in testdata to the routers of its
// config.json and compares what they answer.
func TestVectors(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/config.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := replay(t, dir)
			out := filepath.Join(dir, "out.jsonl")
			if *update {
				if err := os.WriteFile(out, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func replay(t *testing.T, dir string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var setup struct {
		Group   string   `json:"group"`
		Members []Config `json:"members"`
	}
	if err := json.Unmarshal(raw, &setup); err != nil {
		t.Fatal(err)
	}
	var routers []*Router
	for _, c := range setup.Members {
		routers = append(routers, NewRouter(c))
	}
	g := NewGroup(setup.Group, routers...)

	f, err := os.Open(filepath.Join(dir, "in.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	for s := bufio.NewScanner(f); s.Scan(); {
		var rec recorded
		if err := json.Unmarshal(s.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		in, err := unmarshalInput(rec.Input)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range g.Step(rec.At, GroupInput{rec.Member, in}, nil) {
			b, err := marshalOutput(o.Output)
			if err != nil {
				t.Fatal(err)
			}
			if err := enc.Encode(recorded{At: rec.At, Member: o.Member, Outputs: []json.RawMessage{b}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return got.Bytes()
}

// TestInputsSurviveJSON writes and reads one of each kind of input.
func TestInputsSurviveJSON(t *testing.T) {
	for _, in := range []Input{
		Start{LastAdvert: epoch, Hold: true}, from(low, 150), TimerFired{}, up, Fault{"script", true},
		Priority{50, "script"}, Command{Failover, true}, Shutdown{time.Second}, Acquired{7},
		AcquireFailed{7, "busy"}, Eligibility{true, "a gateway", epoch}, AddressLost{vip1}, PeerAnnounced{vip1}, Reconfigure{plain()}, Align{epoch},
	} {
		b, err := marshalInput(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unmarshalInput(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if d := cmp.Diff(in, got, cmpAddr); d != "" {
			t.Errorf("%s (-want +got)\n%s", b, d)
		}
	}
	a := from(low, 150)
	byPointer, err := marshalInput(&a)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unmarshalInput(byPointer); err != nil || !reflect.DeepEqual(got, Input(a)) {
		t.Errorf("%s gives %+v, %v", byPointer, got, err)
	}
	for _, bad := range []string{"", "{}", `{"fly":{}}`, `{"start":{},"fault":{}}`, `{"start":7}`} {
		if in, err := unmarshalInput([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, in)
		}
	}
}

// TestStateText is the states' names, there and back.
func TestStateText(t *testing.T) {
	for s, name := range map[State]string{Init: "INIT", Backup: "BACKUP", Master: "MASTER", Failed: "FAULT"} {
		b, err := s.MarshalText()
		if err != nil || string(b) != name || s.String() != name {
			t.Errorf("%d is %q, %v", s, b, err)
		}
		var back State
		if err := back.UnmarshalText(b); err != nil || back != s {
			t.Errorf("%q is %d, %v", b, back, err)
		}
	}
	if _, err := State(9).MarshalText(); err == nil {
		t.Error("state 9 has a name")
	}
	if err := new(State).UnmarshalText([]byte("UP")); err == nil {
		t.Error("UP is a state")
	}
}
