// Package drift keeps the two nodes of a pair equal: it compares what is in force
// on both, apart from what has to differ between them. It is pure; how one node
// hears of the other's configuration is for others.
package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tandem-ha/tandem/config"
)

// Shared is a configuration as it is shown to a peer: its JSON, with secrets as
// marks that tell whether they are the same and not what they are.
func Shared(c *config.Config) (json.RawMessage, error) {
	if c == nil {
		return nil, fmt.Errorf("no configuration is in force yet")
	}
	shown := *c
	shown.Instances = make([]*config.Instance, len(c.Instances))
	for i, in := range c.Instances {
		masked := *in
		masked.AuthPass = mark(in.AuthPass)
		shown.Instances[i] = &masked
	}
	b, err := json.Marshal(&shown)
	if err != nil {
		return nil, fmt.Errorf("show the configuration: %w", err)
	}
	return b, nil
}

// mark stands for a secret. Its sixteen bits tell two of them apart, and nothing
// of what they are that could be found out by trying.
func mark(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return "secret " + hex.EncodeToString(sum[:2])
}

// own lists what is each node's own, as paths without the names of list elements;
// what stands below one of them belongs to it.
func own() []string {
	return []string{
		"global.router_id", "global.mail.from", "global.mail.helo", "process.instance",
		"instances.state_master", "instances.priority", "instances.source", "instances.track_source", "instances.peers", "instances.peers_from",
		"bfd.source", "bfd.neighbour",
		"virtual_servers.real_servers.checks.connect.bind_addr", "virtual_servers.real_servers.checks.connect.bind_interface",
		"tandem.api", "tandem.metrics", "tandem.web",
	}
}

// Between compares this node's configuration with its peer's, each as Shared has
// it, and returns what they have otherwise and should not. Was is this node's
// value, Is the peer's.
func Between(here, peer json.RawMessage) []config.Difference {
	own := own()
	return slices.DeleteFunc(config.Differences(here, peer), func(d config.Difference) bool {
		p := plain(d.Path)
		return slices.ContainsFunc(own, func(o string) bool { return p == o || strings.HasPrefix(p, o+".") || strings.HasPrefix(p, o+" ") })
	})
}

// plain is a path without the names of list elements.
func plain(path string) string {
	var b strings.Builder
	depth := 0
	for _, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Line is a difference for people, with here and peer for names.
func Line(d config.Difference) string {
	value := func(v string) string {
		if v == "" {
			return "nothing"
		}
		return v
	}
	return fmt.Sprintf("%s: %s here, %s there", d.Path, value(d.Was), value(d.Is))
}
