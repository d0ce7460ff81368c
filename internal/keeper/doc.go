// Package keeper keeps on the host what the configuration and mastership ask for:
// addresses, routes, rules and rules of the packet filter. It knows who wants what in
// which place and what is there, sends the difference in batches, puts back what
// somebody else takes away, and notes in the record what it is about to do. What
// should be is worked out in desired; how the kernel is told, in host.
package keeper
