package health

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// HashConfig is what genhash asks for.
type HashConfig struct {
	// Get has one url.
	Get HTTPConfig
	// Verbose prints header, body and time as well.
	Verbose bool
}

// hashTimeout is genhash's default of -t.
const hashTimeout = 5 * time.Second

// GenhashUsage is the text that tells of genhash's options.
const GenhashUsage = `Usage: genhash [-S] [options] -s ADDRESS -p PORT -u PATH

Prints the MD5 digest of what a web server answers, for "digest" in an url of
HTTP_GET or SSL_GET.

  -s, --server ADDRESS        the server's address
  -p, --port PORT             its port
  -u, --url PATH              the path that is asked for
  -S, --use-ssl               speak TLS
  -I, --use-sni               send the virtual host as the TLS server name
  -V, --use-virtualhost HOST  the virtual host
  -P, --protocol VERSION      1.0, 1.0c (with Connection: close) or 1.1
  -m, --fwmark MARK           the firewall mark of the packets
  -t, --timeout SECONDS       for the connection and for each read, 5 by default
  -v, --verbose               print header, body and time as well
  -h, --help                  print this
`

// ErrHashUsage is the error of ParseGenhash where the usage says it all: -h, or
// an option that is missing or unknown.
var ErrHashUsage = errors.New("usage")

// ParseGenhash reads the arguments of genhash. An error's text, unless it is
// ErrHashUsage, and then the usage belong on standard error, with exit status 1.
func ParseGenhash(args []string) (cfg HashConfig, err error) {
	c := &cfg.Get
	c.Protocol, c.Connect.Timeout, c.URLs = "1.0", hashTimeout, make([]HTTPURL, 1)
	url := &c.URLs[0]
	o := options{args: args, long: map[string]byte{
		"use-ssl": 'S', "use-sni": 'I', "server": 's', "use-virtualhost": 'V', "port": 'p', "url": 'u',
		"verbose": 'v', "help": 'h', "fwmark": 'm', "protocol": 'P', "timeout": 't',
	}, valued: "sVpumPt"}
	for {
		option, value, ok := o.next()
		if !ok {
			break
		}
		switch option {
		case 'S':
			c.TLS = true
		case 'I':
			c.EnableSNI = true
		case 'v':
			cfg.Verbose = true
		case 'V':
			url.Host = value
		case 'u':
			url.Path = value
		case 's':
			if c.Connect.Addr, err = netip.ParseAddr(value); err != nil {
				return cfg, fmt.Errorf("server should be an IP, not %s", value)
			}
		case 'p':
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 {
				return cfg, fmt.Errorf("invalid port number '%s'", value)
			}
			c.Connect.Port = uint16(n)
		case 'm':
			n, err := strconv.ParseUint(value, 0, 32)
			if err != nil {
				return cfg, fmt.Errorf("invalid fwmark '%s'", value)
			}
			c.Connect.FWMark = uint32(n)
		case 'P':
			if c.Protocol = strings.ToUpper(value); c.Protocol != "1.0" && c.Protocol != "1.0C" && c.Protocol != "1.1" {
				return cfg, fmt.Errorf("invalid HTTP protocol version '%s'", value)
			}
		case 't':
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || n <= 0 || n > 1e6 {
				return cfg, fmt.Errorf("invalid timeout '%s'", value)
			}
			c.Connect.Timeout = time.Duration(n * float64(time.Second))
		default:
			return cfg, ErrHashUsage
		}
	}
	if len(o.rest) > 0 {
		//lint:ignore ST1005 these are keepalived's words
		return cfg, fmt.Errorf("Unexpected argument(s): %s", strings.Join(o.rest, " "))
	}
	if !c.Connect.Addr.IsValid() || c.Connect.Port == 0 || url.Path == "" {
		return cfg, ErrHashUsage
	}
	return cfg, nil
}

// options takes arguments apart as getopt_long does.
type options struct {
	args []string
	// long are the long names; valued are the letters that take a value.
	long   map[string]byte
	valued string
	// rest are the arguments that are not options.
	rest []string
	// cluster is what is left of an argument of several letters.
	cluster string
}

// next returns the next option, '?' for one that is none.
func (o *options) next() (option byte, value string, ok bool) {
	for o.cluster == "" {
		if len(o.args) == 0 {
			return 0, "", false
		}
		arg := o.args[0]
		o.args = o.args[1:]
		switch {
		case arg == "--":
			o.rest, o.args = append(o.rest, o.args...), nil
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			return o.longOption(name, value, given)
		case len(arg) > 1 && arg[0] == '-':
			o.cluster = arg[1:]
		default:
			o.rest = append(o.rest, arg)
		}
	}
	option, o.cluster = o.cluster[0], o.cluster[1:]
	if !strings.Contains(o.valued, string(option)) {
		return option, "", true
	}
	value, o.cluster = o.cluster, ""
	if value == "" {
		if len(o.args) == 0 {
			return '?', "", true
		}
		value, o.args = o.args[0], o.args[1:]
	}
	return option, value, true
}

// longOption returns a long option, which may be cut short where that leaves no
// doubt.
func (o *options) longOption(name, value string, given bool) (byte, string, bool) {
	option, exact := o.long[name]
	if !exact {
		for long, letter := range o.long {
			if strings.HasPrefix(long, name) {
				if option != 0 {
					return '?', "", true
				}
				option = letter
			}
		}
	}
	switch takes := strings.Contains(o.valued, string(option)); {
	case option == 0 || given && !takes:
		return '?', "", true
	case takes && !given:
		if len(o.args) == 0 {
			return '?', "", true
		}
		value, o.args = o.args[0], o.args[1:]
	}
	return option, value, true
}

// Genhash makes the request and prints the digest for an HTTP_GET, as
// keepalived's genhash does: errors go to where that writes them. Like that it
// has no exit status of its own.
func Genhash(ctx context.Context, cfg HashConfig, stdout, stderr io.Writer) {
	url := cfg.Get.URLs[0]
	a := answer{hash: true, keep: cfg.Verbose}
	start := time.Now()
	stage, err := NewHTTP(cfg.Get).(*httpCheck).exchange(ctx, url, &a)
	took := time.Since(start)
	switch {
	case err != nil && stage == connecting:
		fmt.Fprintln(stdout, "Connection failed")
	case err != nil && stage == securing:
		fmt.Fprintln(stdout, "SSL handshake/communication error connecting to")
	case err != nil && strings.Contains(err.Error(), timedOut):
		fmt.Fprintln(stdout, "Timeout HTTP read")
	case err != nil:
		fmt.Fprintln(stderr, "no data received from remote webserver")
	case cfg.Verbose:
		fmt.Fprint(stdout, verbose(&a, url.Path, took))
	default:
		fmt.Fprintln(stdout, a.digest)
	}
}

// verbose is the output of genhash -v.
func verbose(a *answer, path string, took time.Duration) string {
	sum, _ := hex.DecodeString(a.digest)
	var b strings.Builder
	title := func(s string) { b.WriteString("-----------------------[" + s + "]-----------------------\n") }
	title("    HTTP Header Buffer    ")
	b.WriteString(dump(a.header))
	title(" HTTP Header Ascii Buffer ")
	b.WriteString(string(a.header) + "\n")
	title("        HTML Buffer        ")
	b.WriteString(dump(a.text) + "\n")
	title("    HTML hash resulting    ")
	b.WriteString(dump(sum))
	title(" HTML hash final resulting ")
	fmt.Fprintf(&b, "%s\n\nGlobal response time for [%s] = %d usecs\n", a.digest, path, took.Microseconds())
	return b.String()
}

// dump writes bytes as genhash does, 16 a line.
func dump(p []byte) string {
	var b strings.Builder
	for at := 0; at < len(p); at += 16 {
		line := p[at:min(at+16, len(p))]
		fmt.Fprintf(&b, "%04d ", at)
		for i := range 16 {
			if i == 8 {
				b.WriteString(" -")
			}
			if i < len(line) {
				fmt.Fprintf(&b, " %02x", line[i])
			} else {
				b.WriteString("   ")
			}
		}
		text := make([]byte, 16)
		for i := range text {
			text[i] = ' '
			if i < len(line) {
				if text[i] = '.'; line[i] >= ' ' && line[i] <= '~' {
					text[i] = line[i]
				}
			}
		}
		b.WriteString("   " + string(text) + "\n")
	}
	return b.String()
}
