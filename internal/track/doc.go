// Package track watches what an instance's priority and health depend on: it runs
// the vrrp_scripts, reads files, counts processes and asks links whether they are up,
// and turns what it finds into an effective priority and reasons for FAULT.
//
// Script, Process, Debounce and Evaluate are pure; Monitor, Files, Processes and
// Linkbeat look at the host. What follows from a result is for package vrrp to
// decide, and which instance tracks what is for its caller to know.
package track
