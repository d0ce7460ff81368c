// Package config reads keepalived.conf: source to tokens, tokens to a lossless
// tree, the tree to a typed Config, with a Diagnostic for whatever is wrong.
//
// One keyword table drives all of it: parsing, diagnostics, "did you mean". The
// package is pure but for reading files: it asks nothing of the network or of
// the host except through an Environment, and imports no other package of
// tandem.
package config
