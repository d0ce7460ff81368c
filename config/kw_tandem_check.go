package config

import "slices"

// tandemCheckKeywords are tandem's own checks, and what it can ask of a check
// beyond keepalived.
func tandemCheckKeywords() []Keyword {
	blocks := in(serverB, []Keyword{
		row("GRPC_CHECK", "{ }", "", "tandem", "Asks grpc.health.v1 whether a service is SERVING.", does(checkBlock)),
		row("TCP_EXPECT", "{ }", "", "tandem", "Talks over TCP and compares what is answered.", does(checkBlock)),
	})
	grpc := in(serverB+"/GRPC_CHECK", connectRows(), timingRows(), talkTLSRows(), certificateRows(), []Keyword{
		row("service", "NAME", "the server as a whole", "tandem", "Is the service that is asked for.", does(stringTo(func(d *decoder) *string { return &d.check.GRPC.Service }))),
		row("authority", "NAME", "the address and port", "tandem", "Is the host of the request.", does(stringTo(func(d *decoder) *string { return &d.check.GRPC.Authority }))),
	})
	expect := in(serverB+"/TCP_EXPECT", connectRows(), timingRows(), talkTLSRows(), certificateRows(), []Keyword{
		row("send", "TEXT", "nothing", "tandem", "Begins a step: is what is sent.", shell, does(expectSend)),
		row("expect", "PATTERN", "nothing", "tandem", "Is what the answer to the step has to hold, a regular expression.", shell, does(expectPattern)),
	})
	var url []Keyword
	for _, kind := range []string{"HTTP_GET", "SSL_GET"} {
		url = append(url, in(serverB+"/"+kind+"/url", requestRows())...)
	}
	certificate := in(serverB+"/SSL_GET", certificateRows())
	out := slices.Concat(blocks, grpc, expect, url, certificate)
	for i := range out {
		own(&out[i])
		out[i].Since = "tandem"
	}
	return out
}

// requestRows change the request of a url, and judge the header of its answer.
func requestRows() []Keyword {
	return []Keyword{
		row("method", "NAME", "GET", "tandem", "Is the method of the request.", does(urlMethod)),
		row("header", "NAME VALUE", "none", "tandem", "Adds a field to the request's header, or replaces one that is always sent.", shell, does(urlHeader)),
		row("body", "TEXT", "none", "tandem", "Is the body of the request.", shell, does(urlBody)),
		row("expect_header", "NAME [PATTERN]", "none", "tandem", "Is a field that the answer has to have, and a regular expression for its value.", shell, does(urlExpectHeader)),
	}
}

// talkTLSRows are the keywords of a check that may speak TLS.
func talkTLSRows() []Keyword {
	return []Keyword{
		row("tls", "[BOOL]", "false", "tandem", "Speaks TLS from the start.", does(boolTo(func(d *decoder) *bool { return &d.check.talk().TLS }))),
		row("sni_name", "NAME", "none", "tandem", "Is the name to send in the TLS handshake.", does(stringTo(func(d *decoder) *string { return &d.check.talk().ServerName }))),
	}
}

// certificateRows are what may be asked of a server's certificate.
func certificateRows() []Keyword {
	return []Keyword{
		row("tls_verify", "[BOOL]", "false", "tandem", "Wants a certificate from a trusted authority that is for the server.", does(boolTo(func(d *decoder) *bool { return &d.check.certificate().Verify }))),
		row("tls_verify_name", "NAME", "the name of the handshake, or the address", "tandem", "Is the name that the certificate has to be for.", does(stringTo(func(d *decoder) *string { return &d.check.certificate().Name }))),
		row("tls_ca", "PATH", "ca of SSL, or the system's", "tandem", "Is the file of authorities that are trusted.", does(stringTo(func(d *decoder) *string { return &d.check.certificate().CA }))),
		row("tls_min_days", "N", "0", "tandem", "Is for how many days more the certificate has to be valid.", does(intTo(func(d *decoder) *int { return &d.check.certificate().MinDays }, 0, 36500))),
	}
}
