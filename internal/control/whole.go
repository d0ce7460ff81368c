package control

import (
	"net/netip"
	"slices"

	"github.com/tandem-ha/tandem/health"
)

// Lists that the document promises are lists also where there is nothing in them:
// JSON's null is none.

func (s Status) whole() Status {
	s.Instances = slices.Clone(s.Instances)
	for i := range s.Instances {
		s.Instances[i] = s.Instances[i].whole()
	}
	s.Services = slices.Clone(s.Services)
	for i := range s.Services {
		s.Services[i] = s.Services[i].whole()
	}
	if s.Instances == nil {
		s.Instances = []InstanceStatus{}
	}
	return s
}

func (s InstanceStatus) whole() InstanceStatus {
	if s.Addresses == nil {
		s.Addresses = []netip.Prefix{}
	}
	return s
}

func (s ServiceStatus) whole() ServiceStatus {
	if s.Servers == nil {
		s.Servers = []health.ServerStatus{}
	}
	return s
}
