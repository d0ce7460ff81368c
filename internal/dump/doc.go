// Package dump writes what keepalived writes on a signal: keepalived.stats,
// keepalived.data and keepalived.json, in keepalived's own form, for the
// programs that read those files. What a file says is a pure function of the
// agent's status; only Write touches the file system, and it gives a file its
// name after its content, so that no reader sees half of one.
package dump
