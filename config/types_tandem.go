package config

import "net/netip"

// Tandem is the block tandem: the settings that keepalived does not have.
type Tandem struct {
	API     API             `json:"api,omitzero"`
	Journal JournalSettings `json:"journal,omitzero"`
	// Metrics and Web are shown on addresses of their own.
	Metrics Page `json:"metrics,omitzero"`
	Web     Page `json:"web,omitzero"`
}

// Page is a block metrics or web: what is shown to everybody on an address.
type Page struct {
	// Listen is where; invalid for nowhere.
	Listen netip.AddrPort `json:"listen,omitzero"`
}

// API is the block api: who may use the control interface, and where.
type API struct {
	// SocketGroup owns the control socket, and SocketMode is its mode; empty and
	// 0 for the default, the group of the process and 0660.
	SocketGroup string `json:"socket_group,omitempty"`
	SocketMode  int    `json:"socket_mode,omitempty"`
	// SocketRead and SocketCommand are the groups whose members may read, and
	// command, by the socket; without either all may who can open it.
	SocketRead    []string `json:"socket_read,omitempty"`
	SocketCommand []string `json:"socket_command,omitempty"`
	// Listen is the address of the TCP listener, invalid for none; it has a
	// Certificate with its Key, and asks clients for one of ClientCA. These are
	// names of files.
	Listen      netip.AddrPort `json:"listen,omitzero"`
	Certificate string         `json:"certificate,omitempty"`
	Key         string         `json:"key,omitempty"`
	ClientCA    string         `json:"client_ca,omitempty"`
	// Read and Command are the common names of the client certificates that may
	// read, and command. Without Read every certificate may read, without
	// Command none may command.
	Read    []string `json:"read,omitempty"`
	Command []string `json:"command,omitempty"`
	// Peer is the listener of the other node, whose configuration is compared
	// with this one's; invalid for none. It is asked with Certificate, and has to
	// show one of ClientCA for that address.
	Peer netip.AddrPort `json:"peer,omitzero"`
}

// JournalSettings is the block journal.
type JournalSettings struct {
	// Size bounds the files of the journal, in MiB; 0 for the default of 8.
	Size int `json:"size,omitempty"`
}
