package vrrp

import (
	"encoding/json"
	"fmt"
)

// marshalInput writes an input as one JSON object {"KIND": {...}}, so that a
// recorded run can be given to a Router again.
func marshalInput(in Input) ([]byte, error) {
	if a, ok := in.(*Advert); ok {
		in = *a
	}
	kind := inputKind(in)
	if kind == "" {
		return nil, fmt.Errorf("vrrp: no input is of type %T", in)
	}
	return json.Marshal(map[string]Input{kind: in})
}

// unmarshalInput reads what marshalInput wrote.
func unmarshalInput(b []byte) (Input, error) {
	var byKind map[string]json.RawMessage
	if err := json.Unmarshal(b, &byKind); err != nil {
		return nil, fmt.Errorf("vrrp: input: %w", err)
	}
	if len(byKind) != 1 {
		return nil, fmt.Errorf("vrrp: input has %d kinds, must have one", len(byKind))
	}
	for kind, body := range byKind {
		in, err := unmarshalKind(kind, body)
		if err != nil {
			return nil, fmt.Errorf("vrrp: input %q: %w", kind, err)
		}
		return in, nil
	}
	return nil, nil
}

// marshalOutput writes an output as one JSON object {"KIND": {...}}.
func marshalOutput(out Output) ([]byte, error) {
	kind := outputKind(out)
	if kind == "" {
		return nil, fmt.Errorf("vrrp: no output is of type %T", out)
	}
	return json.Marshal(map[string]Output{kind: out})
}

func inputKind(in Input) string {
	switch in.(type) {
	case Start:
		return "start"
	case Advert:
		return "advert"
	case TimerFired:
		return "timer_fired"
	case LinkState:
		return "link_state"
	case Fault:
		return "fault"
	case Priority:
		return "priority"
	case Eligibility:
		return "eligibility"
	case Maintenance:
		return "maintenance"
	case Command:
		return "command"
	case Shutdown:
		return "shutdown"
	case Acquired:
		return "acquired"
	case AcquireFailed:
		return "acquire_failed"
	case AddressLost:
		return "address_lost"
	case PeerAnnounced:
		return "peer_announced"
	case Reconfigure:
		return "reconfigure"
	case Align:
		return "align"
	default:
		return ""
	}
}

func unmarshalKind(kind string, body []byte) (Input, error) {
	switch kind {
	case "start":
		return decode[Start](body)
	case "advert":
		return decode[Advert](body)
	case "timer_fired":
		return decode[TimerFired](body)
	case "link_state":
		return decode[LinkState](body)
	case "fault":
		return decode[Fault](body)
	case "priority":
		return decode[Priority](body)
	case "eligibility":
		return decode[Eligibility](body)
	case "maintenance":
		return decode[Maintenance](body)
	case "command":
		return decode[Command](body)
	case "shutdown":
		return decode[Shutdown](body)
	case "acquired":
		return decode[Acquired](body)
	case "acquire_failed":
		return decode[AcquireFailed](body)
	case "address_lost":
		return decode[AddressLost](body)
	case "peer_announced":
		return decode[PeerAnnounced](body)
	case "reconfigure":
		return decode[Reconfigure](body)
	case "align":
		return decode[Align](body)
	default:
		return nil, fmt.Errorf("unknown kind")
	}
}

// decode reads one kind of input.
func decode[T Input](body []byte) (Input, error) {
	var in T
	err := json.Unmarshal(body, &in)
	return in, err
}

func outputKind(out Output) string {
	switch out.(type) {
	case SendAdvert:
		return "send_advert"
	case Acquire:
		return "acquire"
	case Release:
		return "release"
	case Announce:
		return "announce"
	case StateChanged:
		return "state_changed"
	case PriorityChanged:
		return "priority_changed"
	case Dropped:
		return "dropped"
	case Noticed:
		return "noticed"
	case CommandDone:
		return "command_done"
	case Stopped:
		return "stopped"
	default:
		return ""
	}
}
