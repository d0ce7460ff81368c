// Package web is the status page: what the pair does and why, as it changes. The
// server makes all of it; the script only fetches it again when something
// happened, so that without it the page is a snapshot. It shows, and commands
// nothing but by the control interface's own routes, where that is who serves it.
package web
