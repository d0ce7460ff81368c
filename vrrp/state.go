package vrrp

import "fmt"

// stateNames are keepalived's names of the states, as scripts and status know them.
var stateNames = [...]string{Init: "INIT", Backup: "BACKUP", Master: "MASTER", Failed: "FAULT"}

// inState says in which of them a router takes no notice of packets.
var inState = [...]string{Init: "in INIT", Backup: "in BACKUP", Master: "in MASTER", Failed: "in FAULT"}

// String gives the state's name as keepalived writes it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// MarshalText is String; an unknown state is an error.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("vrrp: no state has the number %d", uint8(s))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if string(b) == name {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("vrrp: no state is called %q", b)
}
