// Package wording says what an agent's status means to people, in words that are
// the same wherever they are shown: by tandem status and on the status page. It is
// pure; how the words are laid out is the matter of who shows them.
package wording
