// Package vrrp is the Virtual Router Redundancy Protocol as pure code: the
// packet codec (versions 2 and 3, IPv4 and IPv6), authentication, the state
// machine of one virtual router (Router) and of routers that move together
// (Group).
//
// Nothing here reads a clock, opens a socket, starts a goroutine, logs or draws
// a random number: a machine is given a moment and an Input and answers with
// Outputs, so that a recorded run is a test vector. What talks to the kernel
// lives in internal/host; what schedules the machines lives in internal/agent.
//
// To read the protocol, begin with router.go (what a virtual router is) and go on
// with start.go (RFC 9568 6.4.1), backup.go (6.4.2), master.go (6.4.3) and
// timers.go (6.1, 6.2). Between BACKUP and MASTER lie acquire.go, where addresses
// come, and handover.go, where they go without a packet lost. receive.go has the
// checks of 7.1; parse.go, append.go and checksum.go are the packet (5). Between
// the packet and the wire stands authenticator.go, with ah.go and authhmac.go. What
// the RFC does not have is apart: fault.go, command.go, reconfigure.go, group.go, and
// what pairs in the field want beside it: eligible.go, condition.go, damping.go.
//
// References in comments are to RFC 9568 (VRRPv3, which replaces RFC 5798) and
// RFC 3768 (VRRPv2, with the authentication of RFC 2338).
package vrrp
