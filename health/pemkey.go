package health

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"os"
	"strings"
)

// readKeyPair reads a certificate with its chain and its key from PEM files;
// the key may be encrypted, as PKCS #8 (RFC 5958) or as OpenSSL used to.
func readKeyPair(certificate, key, password string) (tls.Certificate, error) {
	certText, err := os.ReadFile(certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls certificate: %w", err)
	}
	keyText, err := os.ReadFile(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls key: %w", err)
	}
	if keyText, err = openKey(keyText, []byte(password)); err != nil {
		return tls.Certificate{}, fmt.Errorf("tls key %s: %w", key, err)
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls certificate %s with key %s: %w", certificate, key, err)
	}
	return pair, nil
}

// openKey returns the first private key of a PEM text, decrypted.
func openKey(text, password []byte) ([]byte, error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		switch {
		case block == nil:
			return nil, errors.New("no private key in it")
		case block.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(block.Bytes, password)
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			continue
		case block.Headers["DEK-Info"] != "":
			//lint:ignore SA1019 keys that are encrypted so are in use, and the file's mode is what guards them
			der, err := x509.DecryptPEMBlock(block, password)
			if err != nil {
				return nil, errWrongPassword
			}
			return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
		}
		return pem.EncodeToMemory(block), nil
	}
}

var errWrongPassword = errors.New("it is encrypted, and not with this password")

// The structures of an encrypted key, RFC 5958 section 3 and RFC 8018 appendix A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct {
		Derivation, Scheme pkix.AlgorithmIdentifier
	}
	pbkdf2Parameters struct {
		Salt       []byte
		Iterations int
		Length     int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// mostIterations bounds the time that a key costs.
const mostIterations = 10_000_000

// decryptPKCS8 opens an EncryptedPrivateKeyInfo by PBES2 with PBKDF2, which is
// what OpenSSL 1.1 and later write.
func decryptPKCS8(der, password []byte) ([]byte, error) {
	var k encryptedKey
	var p pbes2
	var d pbkdf2Parameters
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	if id := k.Algorithm.Algorithm.String(); id != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("encrypted in a way that is not supported, %s", id)
	}
	if _, err := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &p); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	if id := p.Derivation.Algorithm.String(); id != "1.2.840.113549.1.5.12" {
		return nil, fmt.Errorf("encrypted with a key derivation that is not supported, %s", id)
	}
	if _, err := asn1.Unmarshal(p.Derivation.Parameters.FullBytes, &d); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(p.Scheme.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	size, newCipher := schemeOf(p.Scheme.Algorithm.String())
	prf := prfOf(d.PRF.Algorithm.String())
	if newCipher == nil || prf == nil || d.Iterations < 1 || d.Iterations > mostIterations {
		return nil, fmt.Errorf("encrypted in a way that is not supported, %s", p.Scheme.Algorithm)
	}
	derived, err := pbkdf2.Key(prf, string(password), d.Salt, d.Iterations, size)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	block, err := newCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("encrypted key: %w", err)
	}
	n := block.BlockSize()
	if len(iv) != n || len(k.Data) == 0 || len(k.Data)%n != 0 {
		return nil, errors.New("encrypted key: its length is wrong")
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(k.Data, k.Data)
	pad := int(k.Data[len(k.Data)-1])
	end := len(k.Data) - pad
	if pad < 1 || pad > n || !bytes.Equal(k.Data[end:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errWrongPassword
	}
	return k.Data[:end], nil
}

// schemeOf is the cipher of an identifier and the length of its key.
func schemeOf(id string) (int, func([]byte) (cipher.Block, error)) {
	switch id {
	case "2.16.840.1.101.3.4.1.2":
		return 16, aes.NewCipher
	case "2.16.840.1.101.3.4.1.22":
		return 24, aes.NewCipher
	case "2.16.840.1.101.3.4.1.42":
		return 32, aes.NewCipher
	case "1.2.840.113549.3.7":
		return 24, des.NewTripleDESCipher
	}
	return 0, nil
}

// prfOf is the hash of an HMAC's identifier.
func prfOf(id string) func() hash.Hash {
	switch id {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}
