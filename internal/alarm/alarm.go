// Package alarm recognises what breaks pairs, from what an instance hears: a
// second master, peers that are configured otherwise, hearing that goes one way
// only. It is pure: it is told what was heard and when, and says what is wrong at
// a moment, with advice. It changes nothing; the protocol goes on as RFC 9568 has
// it.
package alarm

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Kind is what is wrong, a short stable word.
type Kind string

// The kinds of alarms.
const (
	// SplitBrain is another master that goes on while this node is master.
	SplitBrain Kind = "split-brain"
	// Asymmetric is a worse master that goes on: it does not hear this node.
	Asymmetric Kind = "asymmetric-hearing"
	// DuplicateVRID is another virtual router with this one's number: its
	// adverts have none of our addresses.
	DuplicateVRID Kind = "duplicate-vrid"
	// AddressLists, Interval, Version and Authentication are what a peer has
	// otherwise than this node.
	AddressLists   Kind = "address-lists-differ"
	Interval       Kind = "interval-differs"
	Version        Kind = "version-differs"
	Authentication Kind = "authentication-differs"
	// EqualPriority is a peer of the same priority: the address decides.
	EqualPriority Kind = "equal-priority"
	// OwnAdvert is an advert of our own that came back.
	OwnAdvert Kind = "own-advert-heard"
	// NoPeer is a master that has never heard anybody.
	NoPeer Kind = "no-peer-heard"
	// Late is a process that is woken up too late for its adverts.
	Late Kind = "late-wake-ups"
)

// Alarm is one thing that is wrong.
type Alarm struct {
	Kind Kind `json:"kind"`
	// Instance is what it is about, empty for the node as a whole.
	Instance string `json:"instance,omitempty"`
	// Peer is who was heard, where that is part of it.
	Peer netip.Addr `json:"peer,omitzero"`
	// Since and Last are when it was first and last seen, Count how often.
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
	Count uint64    `json:"count"`
	// Text says what was seen, with its numbers, and Advice what to look at.
	Text   string `json:"text"`
	Advice string `json:"advice"`
}

// String is the alarm in a line.
func (a Alarm) String() string {
	if a.Instance == "" {
		return a.Text
	}
	return fmt.Sprintf("(%s) %s", a.Instance, a.Text)
}

// key is what makes two alarms the same one.
type key struct {
	kind     Kind
	instance string
	peer     netip.Addr
}

func keyOf(a Alarm) key { return key{a.Kind, a.Instance, a.Peer} }

// Board holds the alarms in force. Its zero value has none.
type Board struct {
	active map[key]Alarm
}

// Update makes current the alarms in force and says which of them are new, and
// which have gone.
func (b *Board) Update(current []Alarm) (raised, cleared []Alarm) {
	next := make(map[key]Alarm, len(current))
	for _, a := range current {
		k := keyOf(a)
		if _, known := b.active[k]; !known {
			raised = append(raised, a)
		}
		next[k] = a
	}
	for k, a := range b.active {
		if _, still := next[k]; !still {
			cleared = append(cleared, a)
		}
	}
	b.active = next
	slices.SortFunc(cleared, order)
	return raised, cleared
}

// Active returns the alarms in force, in a fixed order.
func (b *Board) Active() []Alarm {
	var out []Alarm
	for _, a := range b.active {
		out = append(out, a)
	}
	slices.SortFunc(out, order)
	return out
}

func order(a, b Alarm) int {
	return cmp.Or(strings.Compare(a.Instance, b.Instance), strings.Compare(string(a.Kind), string(b.Kind)), a.Peer.Compare(b.Peer))
}
