// Package notify tells the outside of what happened to instances, sync groups, real
// servers and quorums: it runs their notify scripts, writes lines to FIFOs, and words
// the e-mail that internal/mail sends.
//
// What is to be run, written or sent is pure construction. The Notifier runs scripts
// in order, a FIFOSet keeps FIFOs and their readers, and neither keeps its caller
// waiting. Who wants to be told of what is not known here.
package notify
