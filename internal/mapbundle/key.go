package mapbundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/scopegate/scopegate/internal/regularfile"
)

// PublicKey verifies bundles.
type PublicKey ed25519.PublicKey

// PrivateKey signs bundles.
type PrivateKey ed25519.PrivateKey

// maxKeyFile limits a file with a key, in bytes.
const maxKeyFile = 64 << 10

const (
	makeKey    = "make one with openssl genpkey -algorithm ed25519 -out key.pem"
	takePublic = "take the public one with openssl pkey -in key.pem -pubout -out key.pub.pem"
)

// LoadPublicKey returns a public key that is written out in base64, with or without the
// frame that PEM files have, or that is in a file. Errors quote the value only if there is
// such a file: it may be a private key by mistake.
func LoadPublicKey(value string) (PublicKey, error) {
	if key, err := parsePublicKey([]byte(value)); key != nil || err != nil {
		return key, err
	}
	content, err := readKey(value)
	switch {
	case errors.Is(err, errNoFile) && looksLikeKey(value):
		return nil, errors.New("it looks like a key, and is no Ed25519 public key in base64, of 32 bytes or in the form of PEM files: if it is the private key, make a new one, as this one has been where it does not belong; " + takePublic)
	case err != nil:
		return nil, fmt.Errorf("it is no Ed25519 public key in base64, so it is read as the path of a file: %w", err)
	}
	key, err := parsePublicKey(content)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", value, err)
	case key == nil:
		return nil, fmt.Errorf("%s: it has no public key in PEM: %s", value, takePublic)
	}
	return key, nil
}

// parsePublicKey returns nil for what does not look like a key.
func parsePublicKey(text []byte) (PublicKey, error) {
	var der []byte
	if block, _ := pem.Decode(text); block != nil {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("it is not a public key but %q: %s", kindOf(block.Type), takePublic)
		}
		der = block.Bytes
	} else {
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, nil //nolint:nilerr,nilnil // it is something else
		}
		if der = decoded; len(der) == ed25519.PublicKeySize {
			return PublicKey(der), nil
		}
		if len(der) != 44 { // of an Ed25519 key in the form of RFC 8410
			return nil, nil //nolint:nilnil // it is something else
		}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("it is not a public key: " + takePublic)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("it is not an Ed25519 key: " + makeKey)
	}
	return PublicKey(public), nil
}

// errNoFile means that a path leads to nothing that can be read.
var errNoFile = errors.New("no file is found there")

// readKey reads a file with a key. Errors quote the path only if there is something: it may
// be the key itself.
func readKey(path string) ([]byte, error) {
	if _, err := os.Stat(path); err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		return nil, fmt.Errorf("%w: %w", errNoFile, err)
	}
	return regularfile.Read(path, maxKeyFile)
}

// looksLikeKey reports whether a text may be a key: 32 bytes or more in base64 or
// hexadecimal, of any variant.
func looksLikeKey(text string) bool {
	text = strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(strings.Join(strings.Fields(text), ""))
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	return err == nil && len(decoded) >= ed25519.PublicKeySize
}

// LoadPrivateKey reads a private key from a PEM file. Errors quote the path only if there is
// such a file: it may be the key itself.
func LoadPrivateKey(path string) (PrivateKey, error) {
	content, err := readKey(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s: it has no private key in PEM: %s", path, makeKey)
	}
	switch block.Type {
	case "PRIVATE KEY":
	case "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%s: the key is encrypted: decrypt it with openssl pkey -in %s, or sign with openssl pkeyutl -sign -rawin", path, path)
	default:
		return nil, fmt.Errorf("%s: it is not a private key but %q: %s", path, kindOf(block.Type), makeKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: it is not a private key in PKCS #8: %s", path, makeKey)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: it is not an Ed25519 key: %s", path, makeKey)
	}
	return PrivateKey(private), nil
}

// Public returns the public key of a private one.
func (k PrivateKey) Public() PublicKey {
	return PublicKey(ed25519.PrivateKey(k).Public().(ed25519.PublicKey))
}

// String returns the key in the base64 form that [LoadPublicKey] reads.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k) }

// kindOf shortens what a PEM file says it has.
func kindOf(kind string) string {
	if i := bytes.IndexByte([]byte(kind), 0); i >= 0 || len(kind) > 40 {
		return "something else"
	}
	return kind
}
