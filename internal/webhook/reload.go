package webhook

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// watched is what was read from files, and is read again when they change. It compares
// contents, because a kubelet swaps a symbolic link above the files and cert-manager
// writes two of them. The last good value stays in use while the files are wrong.
type watched[T any] struct {
	what  string
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	mu    sync.RWMutex
	value T
	sum   []byte    // of the contents that were read last, good or not
	since time.Time // when value was loaded
	err   error     // why the files on disk are not in use
}

// watch reads the files for the first time, which must succeed.
func watch[T any](log *slog.Logger, what string, paths []string, parse func([][]byte) (T, error)) (*watched[T], error) {
	w := &watched[T]{what: what, paths: paths, parse: parse, log: log}
	w.reload()
	if w.err != nil {
		return nil, w.err
	}
	return w, nil
}

// reload reads the files, and uses them if they changed and are right.
func (w *watched[T]) reload() {
	hash := sha256.New()
	contents := make([][]byte, len(w.paths))
	var failed error
	for i, path := range w.paths {
		if contents[i], failed = readLimited(path); failed != nil {
			fmt.Fprintf(hash, "error %v", failed)
			break
		}
		fmt.Fprintf(hash, "%d ", len(contents[i]))
		hash.Write(contents[i])
	}
	sum := hash.Sum(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Equal(sum, w.sum) {
		return
	}
	first := w.sum == nil
	w.sum = sum
	value, err := *new(T), failed
	if err == nil {
		if value, err = w.parse(contents); err != nil {
			err = fmt.Errorf("%s: %w", w.paths[0], err)
		}
	}
	if w.err = err; err != nil {
		if !first {
			w.log.Error("the "+w.what+" on disk is wrong; the last good one stays in use", "error", err.Error())
		}
		return
	}
	w.value, w.since = value, time.Now()
	w.log.Info("loaded the "+w.what, "file", w.paths[0])
}

func (w *watched[T]) get() T {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.value
}

// state returns when the value in use was loaded, and why the files are not in use.
func (w *watched[T]) state() (since time.Time, err error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.since, w.err
}

// maxFile bounds files, which are small.
const maxFile = 1 << 20

func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// parseCertificate reads a certificate and its key. A pair that does not match, as
// between two writes, is an error.
func parseCertificate(contents [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("the certificate and the key do not make a pair: %w", err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &pair, nil
}

// expiry says what is wrong with the time of a certificate, if anything.
func expiry(certificate *x509.Certificate, now time.Time) error {
	switch {
	case now.After(certificate.NotAfter):
		return fmt.Errorf("the certificate expired at %s; renew it", certificate.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(certificate.NotBefore):
		return errors.New("the certificate is not valid yet; compare the clocks")
	}
	return nil
}
