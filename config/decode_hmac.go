package config

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	minSecret = 32
	maxSecret = 64
)

// hmacDraft is auth_hmac while it is read.
type hmacDraft struct {
	*HMAC
	node *node
}

func hmacBlock(d *decoder, n *node) {
	d.hmac = &hmacDraft{node: n, HMAC: &HMAC{Pos: n.Words[0].pos(), Mode: "enforce"}}
	d.inst.hmac = d.hmac
	d.body(n, "vrrp_instance/auth_hmac")
	d.hmac = nil
}

// hmacKey takes "ID VALUE", where VALUE is the secret itself, or hex:DIGITS, or
// file:PATH.
func hmacKey(d *decoder, n *node) {
	id, ok := d.number(n.Words[1], 1, 255)
	if !ok {
		return
	}
	if len(n.Words) < 3 {
		d.fail("missing-value", of(n.Words[1]), "Write key ID SECRET, key ID hex:DIGITS or key ID file:PATH.", "key %d has no secret", id)
		return
	}
	for _, k := range d.hmac.Keys {
		if k.ID == int(id) {
			d.warn("duplicate", of(n.Words[1]), "", "key %d is there already; this one does not count", id)
			return
		}
	}
	w := n.Words[2]
	d.adviseCut(w)
	secret, ok := d.secret(w)
	if !ok {
		return
	}
	if len(secret) < minSecret || len(secret) > maxSecret {
		d.fail("secret-length", of(w), "Make one with openssl rand -hex 32, and write hex: before it.", "the secret of key %d has %d bytes, not %d to %d", id, len(secret), minSecret, maxSecret)
		return
	}
	d.hmac.Keys = append(d.hmac.Keys, HMACKey{ID: int(id), Secret: secret})
}

// secret reads the secret of a key.
func (d *decoder) secret(w token) ([]byte, bool) {
	if digits, ok := strings.CutPrefix(w.Value, "hex:"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil {
			d.fail("invalid-value", of(w), "Write pairs of hex digits behind hex:.", "the secret cannot be read: %v", err)
		}
		return b, err == nil
	}
	name, ok := strings.CutPrefix(w.Value, "file:")
	if !ok {
		return []byte(w.Value), true
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(w.pos().File), name)
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		d.fail("secret-file", of(w), "", "the secret cannot be read from %s", name)
		return nil, false
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.warn("secret-mode", of(w), "chmod 600 "+name, "others than its owner may use the file of a secret, %s has mode %04o", name, info.Mode().Perm())
	}
	b, err := os.ReadFile(name)
	if err != nil {
		d.fail("secret-file", of(w), "", "the secret cannot be read: %v", err)
		return nil, false
	}
	return []byte(strings.TrimRight(string(b), "\r\n")), true
}

func hmacWindow(d *decoder, n *node) {
	if v, ok := d.number(n.Words[1], 1, 300); ok {
		d.hmac.Window = time.Duration(v) * time.Second
	}
}

func hmacReplay(d *decoder, n *node) {
	switch v := n.Words[1].Value; v {
	case "time", "monotonic":
		d.hmac.Monotonic = v == "monotonic"
	default:
		d.fail("invalid-value", of(n.Words[1]), "Write time or monotonic.", "'%s' is no way to tell old adverts", v)
	}
}

func hmacMode(d *decoder, n *node) {
	switch v := n.Words[1].Value; v {
	case "enforce", "permissive", "receive-only":
		d.hmac.Mode = v
	default:
		d.fail("invalid-value", of(n.Words[1]), "Write enforce, permissive or receive-only.", "'%s' is no mode of auth_hmac", v)
	}
}

// completeHMAC judges auth_hmac of an instance, once its interval is known.
func (d *decoder) completeHMAC(i *instanceDraft) {
	h := i.hmac
	if h == nil {
		return
	}
	at := of(h.node.Words[0])
	active := false
	for _, k := range h.Keys {
		active = active || k.ID == h.Active
	}
	switch {
	case i.auth != nil:
		d.fail("hmac-authentication", at, "Remove one of the two blocks.", "vrrp_instance %s has authentication and auth_hmac; auth_hmac does not count", i.Name)
		return
	case len(h.Keys) == 0:
		d.fail("hmac-keys", at, "Add a line key ID SECRET.", "auth_hmac of vrrp_instance %s has no key and does not count", i.Name)
		return
	case !active:
		d.fail("hmac-active", at, "Add a line active_key ID.", "auth_hmac of vrrp_instance %s has no active_key that is one of its keys, and does not count", i.Name)
		return
	}
	if i.Strict && h.Mode != "enforce" {
		d.warn("hmac-strict", at, "", "strict mode has auth_hmac mode enforce only (vrrp_instance %s)", i.Name)
		h.Mode = "enforce"
	}
	if h.Window == 0 {
		h.Window = min(max(3*i.AdvertInterval, 5*time.Second), 300*time.Second)
	}
	i.HMAC = h.HMAC
}
