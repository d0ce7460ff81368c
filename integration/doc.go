// Package integration holds the tests of the whole program on whole hosts: the
// binary that make build leaves, in network namespaces, with keepalived itself
// as the peer and the measure.
//
// They need root and are built with the tag kernel. TestPair* and TestExample*
// need namespaces alone; TestIPVS* need IPVS too, and run in the virtual machine
// of integration/vm where the running kernel lacks it. None is skipped: a test
// that cannot run fails. What builds the networks is package lab; what belongs
// here is what is expected of an agent in them.
package integration
