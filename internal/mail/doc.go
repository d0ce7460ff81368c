// Package mail sends short messages to people through a relay, by SMTP (RFC
// 5321) as keepalived does: HELO, no encryption, no authentication. It keeps
// what cannot be sent and tries again, and never keeps its caller waiting.
//
// What is to be told, and to whom, is decided elsewhere.
package mail
