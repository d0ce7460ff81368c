package config

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A probe is a file that says one thing of one row of the keyword table: the
// keyword in its block with arguments that are legal, at a bound, or illegal.
type probe struct {
	row  Keyword
	args string
	text string
}

// probes are those of a row.
func probes(k Keyword) []probe {
	var out []probe
	seen := map[string]bool{}
	for _, args := range argumentsFor(k) {
		statement := k.Name
		switch {
		case strings.HasPrefix(args, "="), strings.HasPrefix(args, "~"):
			// The whole statement, or the whole line.
			statement = strings.TrimPrefix(args, "=")
		case args != "":
			statement += " " + args
		}
		if !seen[statement] {
			seen[statement] = true
			out = append(out, probe{k, args, wholeFile(k, statement)})
		}
	}
	return out
}

// frames are the blocks in which a statement is put: what stands around it is
// legal and reports nothing. %% is its place.
var frames = map[string]string{
	"":                   "%%\n",
	"global_defs":        "%%\n",
	"vrrp_instance":      "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12\n}\n%%\n}\n",
	"vrrp_sync_group":    "vrrp_sync_group G {\ngroup {\nA\nC\n}\n%%\n}\n",
	"track_group":        "track_group T {\ngroup {\nA\n}\n%%\n}\n",
	"garp_group":         "garp_group {\ngarp_interval 0.5\ninterface eth0\n%%\n}\n",
	"vrrp_script":        "vrrp_script S {\nscript \"/bin/true\"\n%%\n}\n",
	"vrrp_track_process": "vrrp_track_process P {\nprocess init\n%%\n}\n",
	"track_file":         "track_file F {\nfile \"/tmp/number\"\n%%\n}\n",
	"vrrp_track_file":    "track_file F {\nfile \"/tmp/number\"\n%%\n}\n",
	"bfd_instance":       "bfd_instance D {\nneighbor_ip 192.0.2.99\n%%\n}\n",
	"SSL":                "SSL {\n%%\n}\n",
	"virtual_server": "virtual_server 192.0.2.10 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n" +
		"real_server 198.51.100.1 80 {\nTCP_CHECK {\n}\n}\n%%\n}\n",
	"vrrp_instance/authentication": "authentication {\nauth_type PASS\nauth_pass secret\n%%\n}\n",
	"vrrp_instance/auth_hmac":      "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\n%%\n}\n",
	serverB:                        "real_server 198.51.100.2 80 {\n%%\n}\n",
	serverB + "/TCP_CHECK":         "TCP_CHECK {\n%%\n}\n",
	serverB + "/HTTP_GET":          "HTTP_GET {\nurl {\npath /\n}\n%%\n}\n",
	serverB + "/SSL_GET":           "SSL_GET {\nurl {\npath /\n}\n%%\n}\n",
	serverB + "/MISC_CHECK":        "MISC_CHECK {\nmisc_path \"/bin/true\"\n%%\n}\n",
	serverB + "/SMTP_CHECK":        "SMTP_CHECK {\n%%\n}\n",
	serverB + "/SMTP_CHECK/host":   "host {\n%%\n}\n",
	serverB + "/DNS_CHECK":         "DNS_CHECK {\n%%\n}\n",
	serverB + "/PING_CHECK":        "PING_CHECK {\n%%\n}\n",
	serverB + "/UDP_CHECK":         "UDP_CHECK {\n%%\n}\n",
	serverB + "/FILE_CHECK":        "FILE_CHECK {\ntrack_file F\n%%\n}\n",
	serverB + "/BFD_CHECK":         "BFD_CHECK {\nname D\n%%\n}\n",
	serverB + "/HTTP_GET/url":      "url {\npath /\n%%\n}\n",
	serverB + "/SSL_GET/url":       "url {\npath /\n%%\n}\n",

	addressBlock: "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12 %%\n}\n}\n",
	routeBlock:   "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12\n}\nvirtual_routes {\n10.1.0.0/16 dev eth0 %%\n}\n}\n",
	ruleBlock:    "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12\n}\nvirtual_rules {\nfrom 10.1.0.0/16 table 100 %%\n}\n}\n",
	trackBlock:   "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12\n}\ntrack_script {\nS %%\n}\n}\n",
	peerBlock:    "vrrp_instance B {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress {\n192.0.2.12\n}\nunicast_peer {\n192.0.2.22 %%\n}\n}\n",
	setBlock:     "virtual_server_group W {\n%%\n}\nvirtual_server group W {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 198.51.100.1 80 {\n}\n}\n",
	syncBlock:    "lvs_sync_daemon eth0 %%\n",
	timeoutBlock: "lvs_timeouts %%\n",
	regexBlock:   "regex abc\nregex_options %%\n",
}

// surroundings are what every probe may refer to; its global_defs holds the probes of
// that block in the place of %%.
const surroundings = `global_defs {
script_user root
enable_script_security
%%
}
vrrp_script S {
script "/bin/true"
}
track_file F {
file "/tmp/number"
}
vrrp_track_process P {
process init
}
bfd_instance D {
neighbor_ip 192.0.2.99
}
vrrp_instance A {
interface eth0
virtual_router_id 51
virtual_ipaddress {
192.0.2.11
}
track_script {
S
}
}
vrrp_instance C {
interface eth1
virtual_router_id 51
virtual_ipaddress {
198.51.100.11
}
}
`

// wholeFile puts a statement into its block, and that into its own, up to a whole
// file. The frame's own statement of the same keyword makes way.
func wholeFile(k Keyword, statement string) string {
	frame := frames[k.Block]
	if !strings.HasPrefix(k.Block, "(") {
		frame = withoutOwn(frame, k.Name)
	}
	if line, whole := strings.CutPrefix(statement, "~"); whole {
		// The whole line that the frame has.
		i := strings.Index(frame, "%%")
		start := strings.LastIndex(frame[:i], "\n") + 1
		frame, statement = frame[:start]+frame[i:], line
	}
	body := strings.Replace(frame, "%%", statement, 1)
	block := k.Block
	switch block {
	case syncBlock, timeoutBlock:
		block = "global_defs"
	case regexBlock:
		block = serverB + "/HTTP_GET/url"
		body = strings.Replace(frames[block], "%%", body, 1)
	}
	for strings.Contains(block, "/") {
		block = block[:strings.LastIndex(block, "/")]
		body = strings.Replace(frames[block], "%%", body, 1)
	}
	base := surroundings
	// A block that the surroundings have already makes way for the probe's own.
	for _, name := range []string{"vrrp_script", "track_file", "vrrp_track_process", "bfd_instance"} {
		if block == name || block == "vrrp_"+name {
			at := strings.Index(base, "\n"+name+" ") + 1
			end := at + strings.Index(base[at:], "\n}\n") + 3
			base = base[:at] + base[end:]
			return strings.Replace(strings.Replace(base, "%%\n", "", 1), "vrrp_instance A", body+"vrrp_instance A", 1)
		}
	}
	if block == "global_defs" {
		return strings.Replace(base, "%%\n", body, 1)
	}
	return strings.Replace(base, "%%\n", "", 1) + body
}

// withoutOwn is a frame without its own one-line statement of that name.
func withoutOwn(frame, name string) string {
	lines := strings.Split(frame, "\n")
	if strings.HasPrefix(frame, "url") || len(lines) > 3 {
		for i, l := range lines[1:] {
			if first, _, _ := strings.Cut(l, " "); first == name && !strings.HasSuffix(l, "{") {
				lines = slices.Delete(lines, i+1, i+2)
				break
			}
			if l == name+" {" {
				end := i + 1
				for depth := 0; ; end++ {
					depth += strings.Count(lines[end], "{") - strings.Count(lines[end], "}")
					if depth == 0 {
						break
					}
				}
				lines = slices.Delete(lines, i+1, end+1)
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}

// argumentsFor are the arguments to try with a keyword.
func argumentsFor(k Keyword) []string {
	if list, ok := particular[k.Block+" "+k.Name]; ok {
		return list
	}
	if list, ok := particular["* "+k.Name]; ok {
		return list
	}
	switch k.Form {
	case FormBlock:
		name := strings.TrimSuffix(strings.TrimSuffix(k.Args, "{ }"), " ")
		frame := strings.Replace(frames[k.path()], "%%\n", "", 1)
		out := []string{"{\n}", "", "X {\n}", "X Y {\n}"}
		if frame != "" {
			out = append(out, "="+frame)
		}
		if name == "" {
			return out
		}
		return append(out, "\"X Y\" {\n}", "X\n{\n}")
	case FormLines:
		return []string{"{\n}", "", "X {\n}", "{\nnonsense\n}", "{\n1\n}"}
	}
	return arguments(k.Args)
}

// arguments makes arguments of the form in words of the table: "0..255",
// "SECS", "[BOOL]", "a|b".
func arguments(form string) []string {
	if form == "" {
		return []string{"", "1", "x"}
	}
	optional := strings.HasPrefix(form, "[")
	form = strings.Trim(form, "[]")
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(form, "lock] "), "all] "), " ")
	first = strings.Trim(first, "[]")
	var out []string
	switch low, high, ranged := strings.Cut(first, ".."); {
	case ranged:
		out = numbersAround(low, high)
	case strings.Contains(first, "|") && !strings.ContainsAny(first, "[{"):
		words := strings.Split(first, "|")
		out = append(words, words[0]+" x", strings.ToUpper(words[0]), strings.ToLower(words[0]), "zzz", "1")
	default:
		out = argumentSamples[first]
		if out == nil {
			out = []string{"foo", "\"foo bar\"", "1", "\"\"", strings.Repeat("x", 70)}
		}
	}
	if optional {
		return append(out, "", "x y")
	}
	return append(out, "", out[0]+" x")
}

// numbersAround are the numbers inside and outside of a range.
func numbersAround(low, high string) []string {
	out := []string{low, high, "x", low + ".5", high + "x", "-x"}
	if n, err := strconv.ParseInt(low, 10, 64); err == nil {
		out = append(out, fmt.Sprint(n-1), fmt.Sprint(n+1))
	}
	if n, err := strconv.ParseInt(high, 10, 64); err == nil {
		out = append(out, fmt.Sprint(n-1), fmt.Sprint(n+1))
	}
	return out
}

// argumentSamples are the arguments to try by what the table calls them.
var argumentSamples = map[string][]string{
	"BOOL":   {"on", "off", "true", "false", "yes", "no", "ON", "1"},
	"SECS":   {"5", "0", "1", "0.5", "1.25", "0.000001", "0.0000001", "255", "1001", "86400", "86401", "4294", "4295", "2678401", "4294967", "4294968", "4294967295", "-1", "x", "1x"},
	"MSECS":  {"50", "0", "1", "999", "1000", "0.5", "1.2345", "4294967", "4294968", "-1", "x"},
	"USECS":  {"50", "0", "1", "2", "10000", "10000000", "10000001", "2147483648", "-1", "x"},
	"TIME":   {"50", "0", "5ms", "5s", "5x", "-1", "x"},
	"N":      {"5", "0", "1", "255", "256", "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296", "-1", "x", "1x", "1.5"},
	"BYTES":  {"5000", "0", "1", "2147483647", "2147483648", "-1", "x"},
	"PRIO":   {"5", "0", "1", "254", "255", "-1", "x"},
	"IP":     {"192.0.2.7", "2001:db8::7", "192.0.2.7/24", "192.0.2.256", "224.0.0.9", "0.0.0.0", "x"},
	"IPV4":   {"224.0.0.9", "192.0.2.7", "ff02::9", "x"},
	"IPV6":   {"ff02::9", "ff05::9", "2001:db8::7", "224.0.0.9", "x"},
	"IFNAME": {"eth0", "eth1", "absent0", "lo", "averylonginterfacename"},
	"PATH":   {"/tmp/tandem-probe", "relative/name", "\"/tmp/tandem probe\"", "/"},
	"DIR":    {"/tmp", "relative", "/tmp/absent"},
	"SCRIPT": {"/bin/true", "\"/bin/true x y\"", "'/bin/true x'", "/bin/true x", "/bin/absent", "/bin/true root", "/bin/true root root", "/bin/true stranger", "\"/bin/true x", "/etc/passwd", "true"},
	"USER":   {"root", "root root", "stranger", "root stranger"},
	"NAME":   {"foo", "\"foo bar\"", "1", "\"\"", strings.Repeat("x", 70), "a/b"},
	"HEX":    {"01", "0102", "01 02", "0", "1 2", "xyz", "0x01", "XX"},
}

// probeHost is the host of the probes: eth0 and eth1, programs as they are.
type probeHost struct{}

func (probeHost) Interface(name string) bool {
	return slices.Contains([]string{"lo", "eth0", "eth1"}, name)
}

func (probeHost) Script(cmd Command, _ bool) error {
	if cmd.User.Name != "" && cmd.User.Name != "root" || cmd.User.Group != "" && cmd.User.Group != "root" {
		return fmt.Errorf("no such user")
	}
	path := cmd.Args[0]
	if !strings.Contains(path, "/") {
		path = "/bin/" + path
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}

func (probeHost) User(u User) error {
	if u.Name != "root" || u.Group != "" && u.Group != "root" {
		return fmt.Errorf("no such user")
	}
	return nil
}

// newer is true for a row that the keepalived of the tests does not have, and
// whose arguments the reference therefore judges.
func newer(k Keyword) bool {
	if slices.Contains(otherBuild, k.Name) || strings.HasPrefix(k.Since, "post-") {
		return true
	}
	parts := strings.Split(k.Since, ".")
	if len(parts) != 3 {
		return false
	}
	number := 0
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return false
		}
		number = number*100 + n
	}
	return number > 20207
}

// refuses is true where the reference refuses the probe.
func refuses(p probe) bool {
	list, ok := refused[p.row.Name]
	if !ok {
		list = refused[p.row.Args]
	}
	return slices.Contains(list, p.args)
}

// verdictOf is true where tandem has something to report of the probe.
func verdictOf(p probe) (bool, []Diagnostic) {
	_, ds := Parse("f", []byte(p.text), Options{ID: "east", Environment: probeHost{}})
	return ExitCode(ds) != 0, ds
}

// TestNewerKeywords compares what tandem says of the rows that keepalived 2.2.7
// does not know with the reference, and asserts of all the others that their
// reports lie where they say.
func TestNewerKeywords(t *testing.T) {
	for _, k := range Keywords() {
		for _, p := range probes(k) {
			got, ds := verdictOf(p)
			checkPlaces(t, p.text, ds)
			if newer(k) && !k.Tandem && got != refuses(p) {
				t.Errorf("%s %s %q: reported %t, want %t: %v", k.Block, k.Name, p.args, got, refuses(p), ds)
			}
			if want, differs := judgedLater(p); differs && got != want {
				t.Errorf("%s %s %q: reported %t, want %t as of keepalived 2.3.4: %v", k.Block, k.Name, p.args, got, want, ds)
			}
		}
	}
}
