// Package pemfile reads PEM files that an operator names.
package pemfile

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Authorities returns the certificate authorities in a file.
func Authorities(path string) (*x509.CertPool, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate in PEM", path)
	}
	return pool, nil
}
