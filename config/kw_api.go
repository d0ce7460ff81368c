package config

import (
	"net/netip"
	"slices"
)

// apiKeywords are the control interface's settings, and the journal's.
func apiKeywords() []Keyword {
	return slices.Concat(
		in("tandem", []Keyword{
			row("api", "{ }", "", "tandem", "Says who may use the control interface, and where.", own, does(apiBlock)),
			row("journal", "{ }", "", "tandem", "Says how much of what happened is kept.", own, does(func(d *decoder, n *node) { d.body(n, "tandem/journal") })),
		}),
		in("tandem", []Keyword{
			row("metrics", "{ }", "", "tandem", "Shows metrics to Prometheus on an address of their own.", own, does(func(d *decoder, n *node) { d.body(n, "tandem/metrics") })),
			row("web", "{ }", "", "tandem", "Shows the status page, which commands nothing, on an address.", own, does(func(d *decoder, n *node) { d.body(n, "tandem/web") })),
		}),
		in("tandem/metrics", []Keyword{
			row("listen", "ADDR:PORT", "none", "tandem", "Serves /metrics there, to everybody who can reach it.", own, does(listenTo(func(t *Tandem) *netip.AddrPort { return &t.Metrics.Listen }))),
		}),
		in("tandem/web", []Keyword{
			row("listen", "ADDR:PORT", "none", "tandem", "Serves the page there, to everybody who can reach it.", own, does(listenTo(func(t *Tandem) *netip.AddrPort { return &t.Web.Listen }))),
		}),
		in("tandem/api", []Keyword{
			row("socket_group", "GROUP", "that of the process", "tandem", "Is the group that owns the control socket.", own, does(stringTo(func(d *decoder) *string { return &d.cfg.Tandem.API.SocketGroup }))),
			row("socket_mode", "MODE", "0660", "tandem", "Is the mode of the control socket.", own, does(apiSocketMode)),
			row("socket_read", "GROUP...", "all who can open the socket", "tandem", "Lists the groups whose members may read by the control socket.", own, does(apiNames(func(a *API) *[]string { return &a.SocketRead }))),
			row("socket_command", "GROUP...", "as socket_read, or root alone with it", "tandem", "Lists the groups whose members may command by the control socket.", own, does(apiNames(func(a *API) *[]string { return &a.SocketCommand }))),
			row("listen", "ADDR:PORT", "none", "tandem", "Listens for clients with a certificate there.", own, does(listenTo(func(t *Tandem) *netip.AddrPort { return &t.API.Listen }))),
			row("certificate", "FILE", "required by listen", "tandem", "Is the certificate of the listener, in PEM, with those that vouch for it.", own, does(apiFile(func(a *API) *string { return &a.Certificate }))),
			row("key", "FILE", "required by listen", "tandem", "Is the key of the certificate, in PEM.", own, does(apiFile(func(a *API) *string { return &a.Key }))),
			row("client_ca", "FILE", "required by listen", "tandem", "Holds the authorities that vouch for clients, in PEM.", own, does(apiFile(func(a *API) *string { return &a.ClientCA }))),
			row("peer", "ADDR:PORT", "none", "tandem", "Is the listener of the other node, whose configuration is to be the same.", own, does(listenTo(func(t *Tandem) *netip.AddrPort { return &t.API.Peer }))),
			row("read", "NAME...", "every client", "tandem", "Lists the common names of the certificates that may read.", own, does(apiNames(func(a *API) *[]string { return &a.Read }))),
			row("command", "NAME...", "none", "tandem", "Lists the common names of the certificates that may read and command.", own, does(apiNames(func(a *API) *[]string { return &a.Command }))),
		}),
		in("tandem/journal", []Keyword{
			row("size", "1..1024", "8", "tandem", "Bounds the files that events are kept in, in MiB.", own, does(intTo(func(d *decoder) *int { return &d.cfg.Tandem.Journal.Size }, 1, 1024))),
		}),
	)
}
