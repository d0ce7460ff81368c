// Package desired says what this node should hold: it turns a configuration,
// the states of the routers and services and the operator's overrides into the
// settings of the machines, the addresses of the host and the table of IPVS.
//
// Everything here is a pure function. Nothing here knows what is there now; the
// difference between the two is the business of host.DiffAddresses and ipvs.Diff.
package desired
