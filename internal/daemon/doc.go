// Package daemon is what makes a process a Unix daemon: going to the
// background, locked pid files, the network namespace, and systemd's
// notification protocol. It knows nothing of what the daemon does.
package daemon
