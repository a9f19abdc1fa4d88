// Package mapbundle reads and writes signed files with a map: the rows of a catalog, so that
// a gateway gets a newer map without a new binary.
//
// A bundle is text. Its first lines say what it is, the rows follow in the format of
// [scopes.Parse], and the last line is an Ed25519 signature of every byte before it:
//
//	# scopegate map bundle 1
//	# based on: 2026-11-28
//	# made: 2026-11-28T19:00:00Z
//	# catalog: 0123456789ab
//	# method	template	any_of	evidence	operation	source	access
//	GET	/api/2.2/jobs/list	jobs	documented	jobs.List	https://…	read
//	# signature: ed25519 <base64>
//
// The signed bytes begin with the name and the version of the format, so that a signature of
// anything else that the key signs does not fit.
package mapbundle

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/scopes"
)

// MaxSize limits a bundle, in bytes.
const MaxSize = 16 << 20

const (
	magic           = "# scopegate map bundle "
	version         = 1
	basedOnHeader   = "# based on: "
	madeHeader      = "# made: "
	catalogHeader   = "# catalog: "
	signatureHeader = "# signature: ed25519 "
)

// Header is what a bundle says of itself.
type Header struct {
	// BasedOn is the day of the shipped map that the bundle was made from, see
	// [scopes.Date].
	BasedOn time.Time
	// Made is when it was made, to the second.
	Made time.Time
	// Version is that of the rows as a catalog, see [scopes.Catalog.Version].
	Version string
}

// Bundle is a bundle that was read.
type Bundle struct {
	Header
	Catalog *scopes.Catalog
	// Warnings say what is valid and most likely a mistake.
	Warnings []routesfile.Warning
}

// Is reports whether content looks like a bundle, signed or not.
func Is(content []byte) bool { return bytes.HasPrefix(content, []byte(magic)) }

// Write returns an unsigned bundle.
func Write(catalog *scopes.Catalog, basedOn, made time.Time) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d\n%s%s\n%s%s\n%s%s\n", magic, version,
		basedOnHeader, basedOn.UTC().Format(time.DateOnly), madeHeader, made.UTC().Format(time.RFC3339), catalogHeader, catalog.Version())
	if err := scopes.Format(&b, catalog.Operations()); err != nil {
		return nil, err
	}
	if _, err := parse(b.Bytes(), "the bundle"); err != nil {
		return nil, err // nobody could read it
	}
	return b.Bytes(), nil
}

// Errors of [Open]. They begin with the name of the file.
var (
	ErrNoBundle  = errors.New("it is no map bundle: write one with scopegate scopes catalog --export <file> --sign <key>; rows of your own belong in routes")
	ErrUnsigned  = errors.New("its last line is no signature, so it is unsigned or cut off: sign it with scopegate scopes catalog --export <file> --sign <key>, or copy it again")
	ErrSignature = errors.New("its signature is by none of the keys in the configuration, or it was changed since it was signed")
)

// Open verifies a bundle and reads it. Nothing but its size, its format and its signature is
// looked at before that is verified by one of the keys. A bundle from the future is refused.
// Errors begin with the name of the file.
func Open(content []byte, name string, keys []PublicKey, now time.Time) (*Bundle, error) {
	signed, err := verify(content, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	bundle, err := parse(signed, name)
	if err != nil {
		return nil, err
	}
	if err := bundle.checkDates(now); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return bundle, nil
}

// clockSkew is how much the clock may have been ahead where a bundle was made.
const clockSkew = 24 * time.Hour

// checkDates refuses what is from the future: it would count as newer than every bundle, and
// every shipped map, that comes until then.
func (h *Header) checkDates(now time.Time) error {
	latest := now.Add(clockSkew)
	for _, at := range []struct {
		header string
		time   time.Time
	}{{basedOnHeader, h.BasedOn}, {madeHeader, h.Made}} {
		if at.time.After(latest) {
			return fmt.Errorf("%q is %s, and now it is %s: set the clock of the machine that is wrong, then export and sign the bundle again",
				strings.TrimSpace(at.header), at.time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// Read reads a bundle, signed or not, and verifies nothing. It is for files that take no
// effect.
func Read(content []byte, name string) (*Bundle, error) {
	if err := checkFormat(content); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if unsigned, _, err := split(content); err == nil {
		content = unsigned
	}
	return parse(content, name)
}

// checkFormat refuses what is no bundle of this format.
func checkFormat(content []byte) error {
	if len(content) > MaxSize {
		return fmt.Errorf("it has more than %d MiB", MaxSize>>20)
	}
	if len(content) == 0 {
		return errors.New("it is empty")
	}
	rest, ok := bytes.CutPrefix(content, []byte(magic))
	if !ok {
		return ErrNoBundle
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if len(line) > 9 {
		return ErrNoBundle
	}
	n, err := strconv.ParseUint(string(line), 10, 32)
	switch {
	case err != nil || string(line) != strconv.FormatUint(n, 10):
		return ErrNoBundle
	case n != version:
		return fmt.Errorf("it has format %d, and this scopegate reads format %d: export it with this version of scopegate, or upgrade", n, version)
	}
	return nil
}

// parse reads what was signed.
func parse(signed []byte, name string) (*Bundle, error) {
	b := new(Bundle)
	rest, err := b.Header.parse(signed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// Line numbers in errors are those of the file, and headers are comments.
	rows, err := routesfile.ParseMap(signed, name)
	if err != nil {
		return nil, err
	}
	if len(rows.Rows) == 0 || len(rest) == 0 {
		return nil, fmt.Errorf("%s: it has no rows", name)
	}
	b.Catalog, b.Warnings = rows.Catalog, rows.Warnings
	if b.Catalog.Version() != b.Version {
		return nil, fmt.Errorf("%s: its rows are those of catalog %s, not %s as it says: export it again, with this version of scopegate", name, b.Catalog.Version(), b.Version)
	}
	return b, nil
}

// parse reads the lines at the head, and returns what follows.
func (h *Header) parse(content []byte) (rest []byte, err error) {
	_, rest, _ = bytes.Cut(content, []byte("\n"))
	next := func(prefix string) string {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		value, ok := strings.CutPrefix(string(line[:min(len(line), 80)]), prefix)
		if !ok {
			err = errors.Join(err, fmt.Errorf("it has no line %q where it belongs", strings.TrimSpace(prefix)))
		}
		rest = after
		return value
	}
	day, made := next(basedOnHeader), next(madeHeader)
	h.Version = next(catalogHeader)
	if err != nil {
		return nil, err
	}
	if h.BasedOn, err = time.Parse(time.DateOnly, day); err != nil {
		return nil, fmt.Errorf("%q is not a day such as 2026-11-28", strings.TrimSpace(basedOnHeader))
	}
	if h.Made, err = time.Parse(time.RFC3339, made); err != nil {
		return nil, fmt.Errorf("%q is not a time such as 2026-11-28T19:00:00Z", strings.TrimSpace(madeHeader))
	}
	return rest, nil
}
