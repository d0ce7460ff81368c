package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/tandem-ha/tandem/config"
	"github.com/tandem-ha/tandem/internal/control"
	"github.com/tandem-ha/tandem/internal/drift"
)

func setupCompare(f *flag.FlagSet) func(*call) int {
	out := addFormat(f)
	var api config.API
	f.StringVar(&api.Certificate, "cert", "", "our certificate, a `FILE` in PEM (default: that of api)")
	f.StringVar(&api.Key, "key", "", "its key, a `FILE` in PEM")
	f.StringVar(&api.ClientCA, "ca", "", "the authorities that vouch for the peer, a `FILE` in PEM")
	return func(c *call) int {
		ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
		defer cancel()
		own := c.client(c.places)
		s, err := own.Status(ctx)
		if err != nil {
			return c.unreachable(err)
		}
		peer, err := c.peer(s, api)
		if err != nil {
			return c.fail(err)
		}
		here, err := own.Config(ctx)
		if err != nil {
			return c.unreachable(err)
		}
		there, err := peer.Config(ctx)
		if err != nil {
			return c.fail(fmt.Errorf("the peer: %w", err))
		}
		differences := drift.Between(here, there)
		if *out == formatJSON {
			err = c.printJSON(differences)
		} else {
			err = c.printDrift(differences)
		}
		switch {
		case err != nil:
			return c.fail(err)
		case len(differences) > 0:
			return exitChanges
		}
		return exitOK
	}
}

// peer is the agent that is named, or that of the configuration; a name with a
// slash is that of its control socket.
func (c *call) peer(s control.Status, api config.API) (*control.Client, error) {
	name := ""
	if len(c.args) > 0 {
		name = c.args[0]
	} else if s.Peer != nil {
		name = s.Peer.Address
	}
	if name == "" {
		return nil, fmt.Errorf("name the peer's listener, as in tandem diff 192.0.2.2:7070, or have api name it: peer ADDR:PORT")
	}
	if strings.Contains(name, "/") {
		return control.NewClient(name), nil
	}
	if api.Certificate == "" {
		conf, _ := config.Load(s.ConfigFile, config.Options{ID: configID(""), Environment: c.environment})
		api = conf.Tandem.API
	}
	if api.Certificate == "" {
		return nil, fmt.Errorf("the peer believes only who shows a certificate: name one with --cert, --key and --ca, or in api of %s", s.ConfigFile)
	}
	return control.PeerClient(api, name)
}

func (c *call) printDrift(differences []config.Difference) error {
	if len(differences) == 0 {
		_, err := fmt.Fprintln(c.stdout, "Both nodes have the same configuration, apart from what is each node's own.")
		return err
	}
	for _, d := range differences {
		if _, err := fmt.Fprintln(c.stdout, drift.Line(d)); err != nil {
			return err
		}
	}
	return nil
}
