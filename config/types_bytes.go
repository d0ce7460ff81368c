package config

import (
	"encoding/hex"
	"fmt"
)

// HexBytes are bytes that are shown as hex digits.
type HexBytes []byte

// String is the bytes in hex digits, without blanks.
func (b HexBytes) String() string { return hex.EncodeToString(b) }

// MarshalText is String.
func (b HexBytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (b *HexBytes) UnmarshalText(text []byte) error {
	v, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("hex digits: %w", err)
	}
	*b = v
	return nil
}
