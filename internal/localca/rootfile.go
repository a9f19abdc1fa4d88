package localca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/trustedpath"
)

// FileName is the name of the root certificate's file in the authority's folder.
const FileName = "ca.crt"

// maxFile bounds what is read of a file in place of a root certificate. One has less than 1 KiB.
const maxFile = 1 << 20

// errForeign means that a file holds something else than a root certificate of ours.
var errForeign = errors.New("it holds something other than a root certificate of scopegate, and was left as it is; name another file")

// WriteRoot puts the root certificate into a file that all users can read, in one step. It
// replaces an older root certificate of scopegate, whose permissions it keeps, or an empty
// file, and nothing else. The folder has to exist, and no other user may be able to change what
// the path leads to. It reports whether there was another root.
func (a *Authority) WriteRoot(path string) (replaced bool, err error) {
	content := a.PEM()
	// Nobody else can change what this leads to, also between the steps below.
	file, err := trustedpath.Resolve(path)
	if err != nil {
		return false, fmt.Errorf("%w: name a file in a folder that only this user can write to", err)
	}
	old, err := regularfile.Read(file, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, regularfile.ErrTooLarge):
		return false, fmt.Errorf("%s: %w", path, errForeign)
	case err != nil:
		return false, err
	case slices.Equal(old, content):
		return false, nil
	case len(old) > 0:
		if root, err := parse(old); err != nil || !isOurs(root) {
			return false, fmt.Errorf("%s: %w", path, errForeign)
		}
		replaced = true
	}
	if err := regularfile.Replace(file, content); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("there is no folder %s: create it, or name another file", filepath.Dir(path))
		}
		return false, err
	}
	return replaced, nil
}

// isOurs reports whether a certificate is the root of an authority of scopegate's.
func isOurs(root *x509.Certificate) bool {
	return root.IsCA && strings.HasPrefix(root.Subject.CommonName, caName) && root.CheckSignatureFrom(root) == nil
}
