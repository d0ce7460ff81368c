package main

import (
	"context"
	"errors"
	"strings"

	runtime "github.com/tandem-ha/tandem/internal/agent"
)

// realAgent is the agent package's agent; its configuration errors are this
// package's, so that nothing else here depends on it.
type realAgent struct {
	*runtime.Agent
}

// newAgent makes the agent that o describes.
func newAgent(o runOptions) agent {
	var known *runtime.Read
	if o.read != nil {
		known = &runtime.Read{Config: o.read.config, Diagnostics: o.read.diagnostics}
	}
	return realAgent{runtime.New(runtime.Options{
		ConfigFile: o.configFile,
		ConfigID:   configID(o.configID),
		Reader:     o.reader,
		Read:       known,
		Settled:    o.settled,
		RunDir:     o.runDir,
		StateDir:   o.stateDir,
		Socket:     o.socket,
		Version:    versionNumber(),
		ReloadFile: strings.TrimSuffix(o.pidFile, ".pid") + ".reload",
		Umask:      o.fixedUmask(),
		VRRP:       o.vrrp,
		Checkers:   o.checkers,
		BFD:        o.bfd,
		KeepVIPs:   o.keepVIPs,
		KeepIPVS:   o.keepIPVS,
		Log:        o.log,
		Levels:     o.levels,
	})}
}

// Run is the agent's, with its configuration errors made known here.
func (a realAgent) Run(ctx context.Context, ready func()) error {
	err := a.Agent.Run(ctx, ready)
	if bad, ok := errors.AsType[*runtime.ConfigError](err); ok {
		return &configError{diagnostics: bad.Diagnostics}
	}
	return err
}
