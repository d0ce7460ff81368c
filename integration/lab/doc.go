// Package lab builds small networks to test agents in: hosts that are network
// namespaces on one bridge, an agent under keepalived's own command line, a
// client that counts lost packets, HTTP servers, and a capture of what was said.
//
// It knows keepalived's interface and nothing of tandem's packages, so whatever
// it measures of one agent it measures of the other in the same way. What is
// expected of an agent belongs into the tests and the demo that use it.
package lab
