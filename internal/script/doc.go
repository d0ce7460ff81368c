// Package script runs the commands that a configuration names: checks, tracking
// scripts and notifications. It says who they run as, whether they can and may
// be run, and ends them, children and all, when their time is over.
//
// What a script's result means is decided elsewhere.
package script
