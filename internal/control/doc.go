// Package control is the agent's interface: HTTP and JSON on a Unix socket and,
// where it is configured, on TCP with certificates on both sides; both the
// server and the client. The table of routes is all that it answers; openapi.json
// describes it, and tests hold the one against the other. It knows who asks and
// what they may, and bounds what they can take of the agent's time and memory.
// It decides nothing about the pair: that is the Agent's.
package control
