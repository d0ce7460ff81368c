package config

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleArgs makes arguments of how the table describes them: the first of what
// may be chosen, examples for what is to be filled in.
func sampleArgs(args string) string {
	examples := map[string]string{
		"SECS": "5", "N": "3", "IP": "192.0.2.1", "IPV4": "224.0.0.19", "IPV6": "ff02::13", "PORT": "80", "NAME": "x", "IFNAME": "eth1",
		"SCRIPT": `"/bin/true 'a  b'"`, "USER": "daemon", "GROUP": "adm", "PATH": "/etc/x", "STRING": `"a  b"`, "BOOL": "on", "DIR": "/etc",
		"NETMASK": "255.255.255.0", "MD5": "0123456789abcdef0123456789abcdef", "N[-M]": "200-204", "PATTERN": `'a.*\.b'`, "BYTES": "4096",
	}
	var out []string
	for word := range strings.FieldsSeq(strings.NewReplacer("[", " ", "]", " ", "...", " ").Replace(args)) {
		if word == "|" || word == "lines" || word == "{" || word == "}" {
			if word == "|" {
				break
			}
			continue
		}
		first, _, _ := strings.Cut(word, "|")
		low, _, ranged := strings.Cut(first, "..")
		switch {
		case examples[first] != "":
			out = append(out, examples[first])
		case ranged:
			out = append(out, low)
		default:
			out = append(out, first)
		}
	}
	return strings.Join(out, " ")
}

// generatedFiles has a source for each row of the keyword table, in its blocks,
// beside what makes an instance and a service usable.
func generatedFiles() map[string]string {
	heads := map[string]string{}
	for _, k := range Keywords() {
		if k.Form == FormBlock {
			heads[k.path()] = strings.TrimSpace(k.Name + " " + sampleArgs(k.Args))
		}
	}
	need := map[string]string{
		"vrrp_instance":       "interface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.9/24\n}\n",
		"vrrp_script":         "script /bin/true\n",
		serverB:               "TCP_CHECK {\n}\n",
		"virtual_server":      "lvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 198.51.100.9 80 {\n}\n",
		serverB + "/HTTP_GET": "url {\npath /\n}\n", serverB + "/SSL_GET": "url {\npath /\n}\n", serverB + "/MISC_CHECK": "misc_path /bin/true\n",
		serverB + "/HTTP_GET/url": "path /\n", serverB + "/SSL_GET/url": "path /\n",
	}
	out := map[string]string{}
	for _, k := range Keywords() {
		if strings.HasPrefix(k.Block, "(") || strings.HasPrefix(k.Name, "include") {
			continue
		}
		var b strings.Builder
		path, depth := "", 0
		if k.Block != "" {
			for part := range strings.SplitSeq(k.Block, "/") {
				path = strings.TrimPrefix(path+"/"+part, "/")
				fmt.Fprintf(&b, "%s {\n%s", heads[path], need[path])
				depth++
			}
		}
		b.WriteString(strings.TrimSpace(k.Name + " " + sampleArgs(k.Args)))
		switch k.Form {
		case FormBlock:
			fmt.Fprintf(&b, " {\n%s}", need[k.path()])
		case FormLines:
			b.WriteString(" {\n192.0.2.77\nx weight 2\n}")
		default:
		}
		b.WriteString("\n" + strings.Repeat("}\n", depth))
		out[k.Block+"/"+k.Name] = b.String()
	}
	return out
}

// untidily writes a source with other blanks, breaks and comments, which mean
// the same.
func untidily(r *rand.Rand, in string) string {
	some := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	for line := range strings.Lines(in) {
		text := strings.TrimRight(line, "\n")
		b.WriteString(some("", "", " ", "\t", "          "))
		if head, ok := strings.CutSuffix(text, " {"); ok {
			b.WriteString(head + some(" {", "{", "\n{", " # a\n\n  {", "\t{ # {b"))
		} else {
			b.WriteString(text)
		}
		b.WriteString(some("\n", "\n", "\r\n", " \n\n\n", " # c }\n", "\n ! d\n"))
	}
	return b.String()
}

func TestFormatGenerated(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, in := range generatedFiles() {
		text := untidily(r, in)
		out, ds := Format("in.conf", []byte(text))
		if len(ds) > 0 {
			t.Errorf("%s: %v in\n%s", name, ds, text)
		}
		sameMeaning(t, text, string(out))
	}
}

func TestEffectiveGenerated(t *testing.T) {
	for name, in := range generatedFiles() {
		loadsBack(t, name, in, Options{ID: "east", Environment: host{}})
		pointers(t, parseEffective(name, []byte(in), Options{ID: "east", Environment: host{}}))
	}
}
