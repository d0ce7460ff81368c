package config

// Certificate is what is asked of the certificate of a server that speaks TLS.
type Certificate struct {
	// Verify wants one from a trusted authority that is for Name or, where that
	// is empty, for the name sent in the handshake or else the address.
	Verify bool   `json:"verify,omitempty"`
	Name   string `json:"name,omitempty"`
	// CA is a file of trusted authorities; without it that of the block SSL or
	// else the system's count.
	CA string `json:"ca,omitempty"`
	// MinDays is for how many days more it has to be valid.
	MinDays int `json:"min_days,omitempty"`
}

// Talk is the TLS of a check that may speak it: of GRPC_CHECK and TCP_EXPECT.
type Talk struct {
	TLS bool `json:"tls,omitempty"`
	// ServerName is the name in the handshake; empty for none.
	ServerName string `json:"server_name,omitempty"`
}

// GRPCCheck is tandem's GRPC_CHECK.
type GRPCCheck struct {
	Talk Talk `json:"talk"`
	// Service is the service that is asked for, empty for the server as a
	// whole, Authority the host of the request, empty for the address and port.
	Service   string `json:"service,omitempty"`
	Authority string `json:"authority,omitempty"`
}

// ExpectCheck is tandem's TCP_EXPECT.
type ExpectCheck struct {
	Talk  Talk         `json:"talk"`
	Steps []ExpectStep `json:"steps,omitempty"`
}

// ExpectStep sends something and waits for an answer; either may be empty.
type ExpectStep struct {
	Send string `json:"send,omitempty"`
	// Expect is a regular expression in the syntax of PCRE2.
	Expect string `json:"expect,omitempty"`
}

// Request is what tandem's own keywords make of the request of a url, and what
// they ask of the header of the answer.
type Request struct {
	// Method is GET where it is empty.
	Method string  `json:"method,omitempty"`
	Header []Field `json:"header,omitempty"`
	Body   string  `json:"body,omitempty"`
	// Expect are fields that the answer has to have; the Value is a regular
	// expression for one's value, or empty for any.
	Expect []Field `json:"expect,omitempty"`
}

// Field is a field of the header of HTTP.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}
