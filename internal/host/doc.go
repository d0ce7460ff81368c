// Package host is everything tandem does to one Linux host outside IPVS: it
// watches links, addresses, routes and rules; puts virtual addresses, routes,
// rules, VMACs and what these need of settings and of the packet filter on the
// host and takes them off; announces addresses, sends and receives adverts, and
// notices when a peer announces one of ours. It decides nothing:
// internal/desired says what the host should hold, and a pure Diff says what to
// change.
package host
