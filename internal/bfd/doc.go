// Package bfd tells within milliseconds whether a neighbour can be reached:
// Bidirectional Forwarding Detection of RFC 5880, over one hop (RFC 5881) and
// over several (RFC 5883), asynchronous mode without echo and authentication, as
// keepalived's bfd_instance configures it.
//
// Parse and Append are the codec, Session is the machine of one session, both
// pure: time and packets come in, packets and changes of state come out. Speaker
// holds the sockets and the one goroutine that steps all sessions; nothing that it
// calls can block, so that what else the program does delays no packet.
//
// What follows from a session's state is for package track and for the checks to
// decide: nothing here knows of VRRP.
package bfd
