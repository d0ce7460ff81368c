// Package host is everything tandem does to one Linux host outside IPVS: it
// watches links and addresses, puts virtual addresses on and takes them off,
// announces them, sends and receives adverts, and notices when a peer announces
// one of ours. It decides nothing: internal/desired says what the host should
// hold, and a pure Diff says what to change.
package host
