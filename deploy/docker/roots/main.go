// Command roots writes the root certificates that the image trusts, as PEM, to standard
// output. They are Mozilla's, in the version of golang.org/x/crypto/x509roots that go.mod
// pins: the same wherever the image is built, without what a machine adds of its own.
//
//	go run -C deploy/docker/roots . > ca-certificates.crt
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "roots:", err)
		os.Exit(1)
	}
}

// write leaves out roots that Mozilla trusts with a limit, such as only for certificates
// issued before a day: a file of certificates cannot express it.
func write(out io.Writer) error {
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return fmt.Errorf("a root of the bundle cannot be parsed: %w", err)
		}
		if _, err := fmt.Fprintf(out, "# %s\n", certificate.Subject); err != nil {
			return err
		}
		if err := pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return err
		}
	}
	return nil
}
