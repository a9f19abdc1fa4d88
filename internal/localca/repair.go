package localca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddypki"
	"github.com/caddyserver/certmagic"
)

const (
	// rootReserve is how long before its end a root is replaced. Caddy never replaces it, and
	// fails to start in its last week.
	rootReserve = 90 * 24 * time.Hour

	// intermediateReserve is how long an intermediate certificate must still be valid at
	// start. Caddy renews it 34 hours before its end, but may sign with it first.
	intermediateReserve = 36 * time.Hour
)

var prefix = path.Join("pki", "authorities", caddypki.DefaultCAID)

// repair removes what cannot be used from the storage, so that Caddy makes it again: what has
// expired or is about to, and halves of pairs, which a process leaves that is killed while it
// writes, or two that renew at the same moment. Caddy would fail to start, or sign what no
// client accepts.
func (a *Authority) repair(ctx context.Context, storage certmagic.Storage) error {
	now := time.Now()
	root, problem, err := checkPair(ctx, storage, "root")
	if err != nil {
		return err
	}
	if root != nil && problem == nil {
		problem = checkRoot(root, now)
	}
	if problem != nil {
		a.Replaced = problem
		return errors.Join(removePair(ctx, storage, "root"), removePair(ctx, storage, "intermediate"))
	}
	intermediate, problem, err := checkPair(ctx, storage, "intermediate")
	switch {
	case err != nil:
		return err
	case intermediate == nil && problem == nil:
		return nil
	case problem == nil && root != nil && intermediate.CheckSignatureFrom(root) == nil && valid(intermediate, now, intermediateReserve) == nil:
		return nil
	}
	return removePair(ctx, storage, "intermediate")
}

func checkRoot(root *x509.Certificate, now time.Time) error {
	if !isOurs(root) {
		return errors.New("the root certificate is not one of scopegate's")
	}
	return valid(root, now, rootReserve)
}

// valid fails if a certificate is not valid, or not for long.
func valid(certificate *x509.Certificate, now time.Time, reserve time.Duration) error {
	switch {
	case now.Before(certificate.NotBefore):
		return fmt.Errorf("it is not valid before %s", certificate.NotBefore.Format(time.RFC3339))
	case now.Add(reserve).After(certificate.NotAfter):
		return fmt.Errorf("it is not valid after %s", certificate.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// checkPair loads a certificate with its key. It returns neither a certificate nor a problem if
// there is none, and an error if the storage cannot be read.
func checkPair(ctx context.Context, storage certmagic.Storage, name string) (certificate *x509.Certificate, problem, err error) {
	certificate, key, err := loadPair(ctx, storage, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if storage.Exists(ctx, certificateOf(name)) || storage.Exists(ctx, keyOf(name)) {
			return nil, err, nil
		}
		return nil, nil, nil
	case errors.Is(err, errUnreadable):
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("%s and its key do not belong together", certificateOf(name)), nil
	}
	return certificate, nil, nil
}

// errUnreadable means that a file has not the content that it should have.
var errUnreadable = errors.New("it cannot be parsed")

func loadPair(ctx context.Context, storage certmagic.Storage, name string) (*x509.Certificate, crypto.Signer, error) {
	content, err := storage.Load(ctx, certificateOf(name))
	if err != nil {
		return nil, nil, err
	}
	certificate, err := parse(content)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certificateOf(name), errUnreadable)
	}
	if content, err = storage.Load(ctx, keyOf(name)); err != nil {
		return nil, nil, err
	}
	key, err := certmagic.PEMDecodePrivateKey(content)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyOf(name), errUnreadable) // and no details of a key
	}
	return certificate, key, nil
}

func removePair(ctx context.Context, storage certmagic.Storage, name string) error {
	return errors.Join(storage.Delete(ctx, certificateOf(name)), storage.Delete(ctx, keyOf(name)))
}

// Where Caddy keeps them.

func certificateOf(name string) string { return path.Join(prefix, name+".crt") }

func keyOf(name string) string { return path.Join(prefix, name+".key") }

// parse reads the one certificate that a PEM file may hold.
func parse(content []byte) (*x509.Certificate, error) {
	content = bytes.TrimSpace(content)
	block, rest := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 || !bytes.HasPrefix(content, []byte("-----BEGIN")) {
		return nil, errors.New("not the PEM file of one certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
