package vrrp

import (
	"net/netip"
	"time"
)

// Input is something that happened to a router. The set is closed. An Advert may
// also be given as *Advert, so that a caller can use one again and again; a
// Router keeps nothing of it.
type Input interface{ input() }

// Start sets a router going: before it, what is told of the link, faults and
// priority is only remembered, and it waits for the first LinkState if there was
// none. LastAdvert is when an earlier process of
// this node last sent an advert as master of this router (zero: never, or not
// known): a router that starts within one master down interval of it takes up
// where that process left off, because no peer can have taken over yet.
type Start struct {
	LastAdvert time.Time `json:"last_advert,omitzero"`
	// Hold restores a hold that outlived a restart (see Command).
	Hold bool `json:"hold,omitempty"`
	// DampedUntil restores the end of standing back that outlived a restart, zero
	// for none (see Damping).
	DampedUntil time.Time `json:"damped_until,omitzero"`
}

// Advert is a packet that Parse accepted, with what the IP layer said of it.
type Advert struct {
	Packet      Packet     `json:"packet"`
	Source      netip.Addr `json:"source"`
	Destination netip.Addr `json:"destination"`
	// TTL is the TTL or hop limit, -1 where it is not known.
	TTL int `json:"ttl"`
}

// TimerFired says that the moment of Deadline has come.
type TimerFired struct{}

// LinkState says whether the router's own interface can carry adverts, and with
// which primary address. Down, or without a Source, the router is in FAULT.
type LinkState struct {
	Up bool `json:"up"`
	// Source is the address that adverts are sent from.
	Source netip.Addr `json:"source,omitzero"`
	// Cause says why the link counts as down, for people.
	Cause string `json:"cause,omitempty"`
}

// Fault raises or clears one named reason for FAULT other than the link, such
// as a tracked script of weight 0.
type Fault struct {
	Cause  string `json:"cause"`
	Active bool   `json:"active"`
}

// Priority sets the effective priority, 1 to 254 (see EffectivePriority). The
// address owner's stays 255.
type Priority struct {
	Effective uint8  `json:"effective"`
	Cause     string `json:"cause,omitempty"`
}

// Eligibility says whether the condition for taking over is met (see
// Config.Conditional), and what answers or does not.
type Eligibility struct {
	Eligible bool   `json:"eligible"`
	Cause    string `json:"cause,omitempty"`
	// Asked is when the question was sent that was answered last: for all that the
	// answer says, it may have come the moment after. Zero is the moment of the input.
	Asked time.Time `json:"asked,omitzero"`
}

// Maintenance says whether an operator keeps the router from becoming master. A
// master stays master; a failover with Force overrides it.
type Maintenance struct {
	On bool `json:"on"`
}

// Command is an operator's order.
type Command struct {
	Kind CommandKind `json:"kind"`
	// Force lets a failover on the active node give up at once, and one on a
	// standby take over where the condition for it is not met.
	Force bool `json:"force,omitempty"`
}

// CommandKind names an operator's order.
type CommandKind string

// The orders. Switchover makes an offer and, once a peer has taken over, holds:
// the router stays backup, whatever its priority, until no peer is left or a
// Resume. Failover, on a standby, takes over now by advertising priority 254
// until a Resume. Resume ends a hold and a failover's raised priority.
const (
	Switchover CommandKind = "switchover"
	Failover   CommandKind = "failover"
	Resume     CommandKind = "resume"
)

// Shutdown asks the router to stop: a master offers, bounded by Limit, and
// everyone ends with Stopped. A second Shutdown, or a zero Limit, stops at once.
type Shutdown struct {
	Limit time.Duration `json:"limit"`
}

// Acquired says that every address of the Acquire with this Serial (zero: of the
// last one) is on the interface.
type Acquired struct {
	Serial uint64 `json:"serial,omitempty"`
}

// AcquireFailed says that the addresses of the Acquire with this Serial (zero:
// of the last one) cannot be had.
type AcquireFailed struct {
	Serial uint64 `json:"serial,omitempty"`
	Cause  string `json:"cause"`
}

// AddressLost says that somebody else removed a held address.
type AddressLost struct {
	Addr netip.Addr `json:"addr"`
}

// PeerAnnounced says that another node announced one of our addresses with a
// gratuitous ARP or an unsolicited Neighbour Advertisement.
type PeerAnnounced struct {
	Addr netip.Addr `json:"addr"`
}

// Reconfigure replaces the configuration of a running router; its state stays.
type Reconfigure struct {
	Config Config `json:"config"`
}

// Align has the adverts of a master go out at moments that are whole intervals
// away from Anchor, so that one host can send those of many routers together, or
// spread them. An advert is moved to such a moment once, and is sooner then than
// it would have been: none is late for it. The zero Anchor aligns nothing.
type Align struct {
	Anchor time.Time `json:"anchor,omitzero"`
}

func (Start) input()         {}
func (Advert) input()        {}
func (TimerFired) input()    {}
func (LinkState) input()     {}
func (Fault) input()         {}
func (Priority) input()      {}
func (Maintenance) input()   {}
func (Eligibility) input()   {}
func (Command) input()       {}
func (Shutdown) input()      {}
func (Acquired) input()      {}
func (AcquireFailed) input() {}
func (AddressLost) input()   {}
func (PeerAnnounced) input() {}
func (Reconfigure) input()   {}
func (Align) input()         {}

// Output is something that a router wants done or known. The set is closed;
// outputs are to be carried out in the order in which they were given. Slices in
// them are not changed by the Router afterwards, nor may a receiver change them.
type Output interface{ output() }

// SendAdvert asks for one advert to the group, or to each peer.
type SendAdvert struct {
	Packet Packet `json:"packet"`
}

// Acquire asks for these addresses to be put on the interface in one batch, and
// to be told Acquired or AcquireFailed with the same Serial.
type Acquire struct {
	Serial    uint64       `json:"serial"`
	Addresses []netip.Addr `json:"addresses"`
}

// Release asks for these addresses to be removed in one batch.
type Release struct {
	Addresses []netip.Addr `json:"addresses"`
}

// Announce asks for Rounds rounds of gratuitous ARP or unsolicited Neighbour
// Advertisement over these addresses.
type Announce struct {
	Addresses []netip.Addr `json:"addresses"`
	Rounds    int          `json:"rounds"`
}

// StateChanged says that the router moved, and why. A group's own moves have
// the same form.
type StateChanged struct {
	From  State `json:"from"`
	To    State `json:"to"`
	Cause Cause `json:"cause"`
	// Priority is the effective priority at the time.
	Priority uint8 `json:"priority"`
}

// PriorityChanged says that the effective priority moved.
type PriorityChanged struct {
	From  uint8  `json:"from"`
	To    uint8  `json:"to"`
	Cause string `json:"cause,omitempty"`
}

// Dropped says that an advert was not used, and why. Detail is given for the
// first of each Reason since the last change of state; repeats have none.
type Dropped struct {
	Reason Reason     `json:"reason"`
	Source netip.Addr `json:"source"`
	Detail string     `json:"detail,omitempty"`
}

// Noticed reports what changes no state but ought to be known: a worse master
// heard, an address list that differs, a lost address put back, a hold begun.
type Noticed struct {
	Kind   NoticeKind `json:"kind"`
	Detail string     `json:"detail"`
	Peer   netip.Addr `json:"peer,omitzero"`
}

// NoticeKind names a Noticed.
type NoticeKind string

// The kinds of notice.
const (
	NoticeLowerPriority    NoticeKind = "lower-priority-master"
	NoticeAddressList      NoticeKind = "address-list-differs"
	NoticeInterval         NoticeKind = "advert-interval-differs"
	NoticeOwnAdvert        NoticeKind = "own-advert-heard"
	NoticeAddressLost      NoticeKind = "address-lost"
	NoticeOffer            NoticeKind = "offer"
	NoticeOfferTaken       NoticeKind = "offer-taken"
	NoticeRolledBack       NoticeKind = "offer-rolled-back"
	NoticeHold             NoticeKind = "hold"
	NoticeHoldEnded        NoticeKind = "hold-ended"
	NoticeForced           NoticeKind = "priority-forced"
	NoticeForcedEnded      NoticeKind = "priority-forced-ended"
	NoticeTwoOwners        NoticeKind = "two-owners"
	NoticeIneligible       NoticeKind = "not-eligible"
	NoticeEligible         NoticeKind = "eligible"
	NoticeMaintenance      NoticeKind = "maintenance"
	NoticeMaintenanceEnded NoticeKind = "maintenance-ended"
	NoticeWithheld         NoticeKind = "takeover-withheld"
	NoticeDamped           NoticeKind = "flap-damping"
	NoticeDampingEnded     NoticeKind = "flap-damping-ended"
)

// CommandDone answers a Command: Err is empty where it was taken up, else it
// says why it cannot be.
type CommandDone struct {
	Kind CommandKind `json:"kind"`
	Err  string      `json:"err,omitempty"`
}

// Stopped is a router's last output: it holds nothing and sends nothing more.
type Stopped struct{}

func (SendAdvert) output()      {}
func (Acquire) output()         {}
func (Release) output()         {}
func (Announce) output()        {}
func (StateChanged) output()    {}
func (PriorityChanged) output() {}
func (Dropped) output()         {}
func (Noticed) output()         {}
func (CommandDone) output()     {}
func (Stopped) output()         {}

// State is a state of the protocol's machine (RFC 9568 6.4) or FAULT, which is
// keepalived's name for a router that cannot take part.
type State uint8

// The states, numbered as keepalived numbers them.
const (
	Init   State = 0
	Backup State = 1
	Master State = 2
	Failed State = 3
)

// Cause says why a state changed: a short word for programs and a sentence with
// the numbers for people ("no advert for 3.61 s, last from 192.0.2.2 priority 150").
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Detail string    `json:"detail"`
}

// CauseKind is the short word of a Cause.
type CauseKind string

// The causes of a change of state.
const (
	CauseStart       CauseKind = "start"
	CauseResumed     CauseKind = "resumed-after-restart"
	CauseMasterDown  CauseKind = "master-down"
	CausePriority0   CauseKind = "priority-0"
	CausePreempt     CauseKind = "preempt"
	CauseHigher      CauseKind = "higher-priority"
	CauseOffer       CauseKind = "offer"
	CauseLink        CauseKind = "link"
	CauseFault       CauseKind = "fault"
	CauseRecovered   CauseKind = "recovered"
	CauseAcquire     CauseKind = "acquire-failed"
	CauseGroup       CauseKind = "sync-group"
	CauseCommand     CauseKind = "command"
	CauseShutdown    CauseKind = "shutdown"
	CauseReconfigure CauseKind = "reconfigure"
	CauseIneligible  CauseKind = "not-eligible"
	CauseLate        CauseKind = "timer-expired"
)

// Status is a router's state at a moment, for people and programs.
type Status struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Offering is true for a master that has offered or is yielding: it still
	// serves, sends no adverts, and counts as the worse master.
	Offering bool `json:"offering,omitempty"`
	// Hold and Forced are the operator's overrides (see Command).
	Hold   bool `json:"hold,omitempty"`
	Forced bool `json:"forced,omitempty"`
	// Since and Cause tell of the last change of state.
	Since    time.Time `json:"since"`
	Cause    Cause     `json:"cause"`
	Priority uint8     `json:"priority"`
	// Master is the master last heard, if it is not us.
	Master         netip.Addr `json:"master,omitzero"`
	MasterPriority uint8      `json:"master_priority,omitempty"`
	// MasterInterval is the advert interval in force, learned from the master.
	MasterInterval time.Duration `json:"master_interval"`
	// LastAdvert is when the last usable advert of another node was heard.
	LastAdvert time.Time `json:"last_advert,omitzero"`
	// Ineligible says why the router may not take over, where it may not (see
	// Config.Conditional).
	Ineligible string `json:"ineligible,omitempty"`
	// Maintenance is the operator's word that it may not (see Maintenance).
	Maintenance bool `json:"maintenance,omitempty"`
	// DampedUntil is the end of standing back by Config.Damping.
	DampedUntil time.Time `json:"damped_until,omitzero"`
	// Faults are the reasons for FAULT now in force.
	Faults []string `json:"faults,omitempty"`
	// GroupFault is the member of the sync group whose FAULT is one of them, "" for
	// none.
	GroupFault string `json:"group_fault,omitempty"`
	// Held are the addresses that the router holds now.
	Held []netip.Addr `json:"held,omitempty"`
}
