// Package notify tells the outside of what happened by running the notify
// scripts of the configuration: those of instances, sync groups, real servers
// and quorums.
//
// What is to be run is pure construction; the Notifier runs it, in order, and
// never keeps its caller waiting.
package notify
