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
// # Reading order
//
// The RFC calls a master Active and INIT Initialize; the names here are those of
// keepalived. Comments quote the sentences of the RFC that the code carries out.
//
//	router.go        6 6.3   what a virtual router is, and how it takes an input
//	io.go                    all inputs and outputs, and what status shows
//	config.go        6.1     its parameters
//	timers.go        6.1 6.2 skew, Active_Down_Interval, the timers
//	start.go         6.4.1   Startup, and the Shutdown of every state
//	backup.go        6.4.2   BACKUP
//	acquire.go       6.4.2   from BACKUP to MASTER: advert, addresses, announcements
//	master.go        6.4.3   MASTER
//	announce.go      6.4.2   when gratuitous ARP and Neighbour Advertisements are due
//	addresses.go             the account of the addresses that are held
//	receive.go       7.1     the checks of a received advert that need the configuration
//	pace.go          7.2     when adverts are sent, and how often others are answered
//	packet.go, parse.go, append.go, checksum.go
//	                 5       the packet, and the checks that need no configuration
//	authenticator.go, ah.go, authhmac.go
//	                         what stands between the packet and the wire
//
// What the RFC does not have is in files of its own:
//
//	handover.go              from MASTER to BACKUP without losing a packet
//	fault.go                 keepalived's FAULT
//	command.go               switchover, failover and resume, by hand
//	maintenance.go           a node that is not to become master
//	eligible.go, condition.go
//	                         a condition for taking over, such as a gateway that answers
//	damping.go               a node that keeps losing its mastership stands back
//	reconfigure.go           a reload keeps the state
//	group.go                 sync groups
//
// References in comments are to RFC 9568 (VRRPv3, which replaces RFC 5798) and
// RFC 3768 (VRRPv2, with the authentication of RFC 2338).
package vrrp
