// Package logging carries log messages to where keepalived's users look for
// them: the console, in keepalived's form, and syslog, under the names of
// keepalived's processes. Everything logs through hclog; what is slow or gone
// at the far end keeps nobody waiting.
package logging
