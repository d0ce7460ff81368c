// Package sched gives this process the scheduling that a configuration asks
// for: nice value, real time, CPUs and memory that is not swapped, for every
// thread of the Go runtime, those that it makes later included. What the
// process starts gets none of it.
package sched
