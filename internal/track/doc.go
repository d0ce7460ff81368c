// Package track watches what an instance's priority and health depend on: it
// runs the vrrp_scripts and turns their results, and the states of interfaces,
// into an effective priority and reasons for FAULT.
//
// Script and Evaluate are pure; Monitor runs the scripts. What follows from a
// result is for package vrrp to decide.
package track
