package mapbundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

var (
	madeAt  = time.Date(2026, 12, 1, 10, 30, 15, 0, time.UTC)
	basedOn = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
)

// keyOf returns a key that is always the same.
func keyOf(seed string) PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return PrivateKey(ed25519.NewKeyFromSeed(sum[:]))
}

func catalogOf(t testing.TB, rows string) *scopes.Catalog {
	t.Helper()
	parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := scopes.New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

const rows = "GET\t/api/2.2/jobs/list\tjobs\tdocumented\tjobs.List\tpage\nPOST\t/api/2.0/a\tai-gateway+unity-catalog\tdocumented\ta.B\tpage\nPOST\t/api/2.0/t\tall-apis,optional\tinferred\tt.T\tpage\n"

// signed returns a signed bundle.
func signed(t testing.TB, key PrivateKey) []byte {
	t.Helper()
	unsigned, err := Write(catalogOf(t, rows), basedOn, madeAt)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := Sign(unsigned, key)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, catalog := range []*scopes.Catalog{catalogOf(t, rows), scopes.Default()} {
		unsigned, err := Write(catalog, basedOn, madeAt)
		if err != nil {
			t.Fatal(err)
		}
		key := keyOf("a")
		content, err := Sign(unsigned, key)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := Open(content, "map.tsv", []PublicKey{keyOf("b").Public(), key.Public()}, madeAt)
		if err != nil {
			t.Fatal(err)
		}
		if bundle.Catalog.Version() != catalog.Version() || !bundle.Made.Equal(madeAt) || !bundle.BasedOn.Equal(basedOn) {
			t.Errorf("%+v", bundle.Header)
		}
		for _, content := range [][]byte{unsigned, content} {
			if read, err := Read(content, "map.tsv"); err != nil || read.Header != bundle.Header {
				t.Errorf("%+v, %v", read, err)
			}
		}
	}
}

// TestOpenRefuses: every bundle but a whole one that a key signed.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	key := keyOf("a")
	good := string(signed(t, key))
	unsigned, signature, _ := strings.Cut(good, signatureHeader)
	resign := func(text string) string {
		content, err := Sign([]byte(text), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	replace := func(old, now string) string {
		if strings.Count(unsigned, old) != 1 {
			t.Fatalf("%q", old)
		}
		return strings.Replace(unsigned, old, now, 1)
	}
	for _, test := range []struct{ name, content, want string }{
		{"empty", "", "it is empty"},
		{"routes", "GET\t/api/2.0/x\tsql\n", "it is no map bundle"},
		{"a catalog", "# Code generated\nGET\t/api/2.0/x\tsql\n", "it is no map bundle"},
		{"unsigned", unsigned, "its last line is no signature"},
		{"without its last line break", strings.TrimSuffix(good, "\n"), "its last line is no signature"},
		{"cut off in the signature", good[:len(good)-20] + "\n", "not a whole Ed25519 signature"},
		{"cut off in the rows", good[:len(good)/2], "its last line is no signature"},
		{"a line after the signature", good + "GET\t/api/2.0/x\tsql\n", "its last line is no signature"},
		{"an empty line after the signature", good + "\n", "its last line is no signature"},
		{"two signatures", good + signatureHeader + signature, "by none of the keys"},
		{"an added row", strings.Replace(good, signatureHeader, "GET\t/api/2.0/x\tsql\n"+signatureHeader, 1), "by none of the keys"},
		{"a changed scope", strings.Replace(good, "\tjobs\t", "\tsql\t", 1), "by none of the keys"},
		{"a changed date", strings.Replace(good, "2026-12-01", "2026-12-02", 1), "by none of the keys"},
		{"a changed comment", strings.Replace(good, "# method", "# Method", 1), "by none of the keys"},
		{"lines of Windows", strings.ReplaceAll(good, "\n", "\r\n"), "it is no map bundle"},
		{"another key", string(signed(t, keyOf("c"))), "by none of the keys"},
		{"a signature in another form", good[:len(good)-2] + "\n\n", "its last line is no signature"},
		{"a signature with a space", strings.TrimSuffix(good, "\n") + " \n", "not a whole Ed25519 signature"},
		{"another algorithm", strings.Replace(good, "ed25519 ", "rsa ", 1), "its last line is no signature"},
		{"a newer format", strings.Replace(good, "bundle 1\n", "bundle 2\n", 1), "it has format 2, and this scopegate reads format 1"},
		{"format zero", strings.Replace(good, "bundle 1\n", "bundle 0\n", 1), "it has format 0"},
		{"another spelling of the format", strings.Replace(good, "bundle 1\n", "bundle 01\n", 1), "it is no map bundle"},
		{"UTF-16", "\xff\xfe#\x00", "it is no map bundle"},
		{"a mark before it", "\ufeff" + good, "it is no map bundle"},
		{"oversized", magic + "1\n" + strings.Repeat("#\n", MaxSize/2), "it has more than 16 MiB"},

		// Signed, and wrong all the same.
		{"no date", resign(replace("# made: 2026-12-01T10:30:15Z\n", "")), `it has no line "# made:"`},
		{"dates in another order", resign(replace("# based on: 2026-11-28\n# made: 2026-12-01T10:30:15Z\n", "# made: 2026-12-01T10:30:15Z\n# based on: 2026-11-28\n")), `it has no line "# based on:"`},
		{"no day", resign(replace("2026-11-28", "soon")), "is not a day"},
		{"no time", resign(replace("2026-12-01T10:30:15Z", "2026-12-01")), "is not a time"},
		{"another version of the rows", resign(replace("\tjobs\t", "\tsql\t")), "its rows are those of catalog"},
		{"no rows", resign(unsigned[:strings.Index(unsigned, "POST")]), "it has no rows"},
		{"an invalid row", resign(unsigned + "GET\tno-slash\tsql\n"), "does not begin with a slash"},
		{"a row twice", resign(unsigned + "GET\t/api/2.2/jobs/list\tsql\n"), "is already on line"},
		{"public for everything", resign(unsigned + "*\t/{path...}\tpublic\tdocumented\tall.X\tme\n"), "* /{path...} is public: it would let everything pass"},
		{"public for the whole API", resign(unsigned + "GET\t/api/2.0/{path...}\tpublic\n"), "is public"},
		{"two operations of one name", resign(unsigned + "GET\t/api/2.0/y\tsql\tdocumented\tjobs.List\tme\n"), "rows of one name are one operation"},
		{"a NUL byte", resign(unsigned + "GET\t/api/2.0/\x00\tsql\n"), "NUL byte"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bundle, err := Open([]byte(test.content), "map.tsv", []PublicKey{key.Public(), keyOf("b").Public()}, madeAt)
			if bundle != nil || err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "map.tsv:") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := Open([]byte(good), "map.tsv", nil, madeAt); !errors.Is(err, ErrSignature) {
		t.Errorf("without keys: %v", err)
	}
}

// TestFuture: a bundle that would count as newer than all to come is refused. Clocks may
// differ by a day.
func TestFuture(t *testing.T) {
	t.Parallel()
	key := keyOf("a")
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{madeAt, ""},
		{madeAt.AddDate(900, 0, 0), ""},
		{madeAt.Add(-24 * time.Hour), ""},
		{madeAt.Add(-24*time.Hour - time.Second), `map.tsv: "# made:" is 2026-12-01T10:30:15Z, and now it is 2026-11-30T10:30:14Z: set the clock`},
		{basedOn.AddDate(0, 0, -1).Add(-time.Second), `map.tsv: "# based on:" is 2026-11-28T00:00:00Z`},
		{time.Unix(0, 0), "set the clock"},
	} {
		_, err := Open(signed(t, key), "map.tsv", []PublicKey{key.Public()}, test.now)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.now, err, test.want)
		}
	}
}

// TestWarnings: a bundle with rows that open what the shipped map does not says so.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		rows:                           "[]",
		"*\t/oidc/{path...}\tpublic\n": "[]",
		"GET\t/api/2.2/jobs/list\t*\n": "[{rows need no scope, or no token at all [line 6: GET /api/2.2/jobs/list] 1}]",
		"GET\t/api/2.0/x\tpublic\n":    "[{rows need no scope, or no token at all [line 6: GET /api/2.0/x] 1}]",
	} {
		content, err := Write(catalogOf(t, text), basedOn, madeAt)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := Read(content, "map.tsv")
		if err != nil || fmt.Sprint(bundle.Warnings) != want {
			t.Errorf("%q: %v, %v", text, bundle.Warnings, err)
		}
	}
	content, err := Write(scopes.Default(), basedOn, madeAt)
	if err != nil {
		t.Fatal(err)
	}
	if bundle, err := Read(content, "map.tsv"); err != nil || len(bundle.Warnings) > 0 {
		t.Errorf("the shipped map: %v, %v", bundle.Warnings, err)
	}
}

// TestEveryByteCounts: whichever byte is changed or left out, the bundle is refused.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	key := keyOf("a")
	good := signed(t, key)
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 1
		for _, content := range [][]byte{changed, slices.Delete(bytes.Clone(good), i, i+1), good[:i]} {
			if _, err := Open(content, "map.tsv", []PublicKey{key.Public()}, madeAt); err == nil {
				t.Fatalf("byte %d, %q: accepted", i, good[i])
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	good := signed(t, keyOf("a"))
	for _, content := range [][]byte{nil, []byte("GET\t/x\tsql\n"), good, bytes.TrimSuffix(good[:len(good)/2], []byte("\n"))} {
		if _, err := Sign(content, keyOf("a")); err == nil {
			t.Errorf("signed %.80q", content)
		}
	}
}

// TestOpenSSL: keys and signatures are those of openssl.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	openssl := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	openssl("genpkey", "-algorithm", "ed25519", "-out", at("key.pem"))
	openssl("pkey", "-in", at("key.pem"), "-pubout", "-out", at("key.pub.pem"))
	key, err := LoadPrivateKey(at("key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := LoadPublicKey(at("key.pub.pem"))
	if err != nil || !bytes.Equal(public, key.Public()) {
		t.Fatalf("%v %v", public, err)
	}
	content := signed(t, key)
	if _, err := Open(content, "map.tsv", []PublicKey{public}, madeAt); err != nil {
		t.Error(err)
	}
	body, signature, err := split(content)
	if err := errors.Join(err, os.WriteFile(at("body"), body, 0o600), os.WriteFile(at("sig"), signature, 0o600)); err != nil {
		t.Fatal(err)
	}
	openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", at("key.pub.pem"), "-in", at("body"), "-sigfile", at("sig"))
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	const inBase64 = "GdtQk6Aj8L6KYNuFNmQwGJbNYGQ4w8mBGHmPjh8EwaI="
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const pemKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	const private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	for _, test := range []struct{ name, value, want string }{
		{"base64", inBase64, ""},
		{"base64 with white space", " " + inBase64 + "\n", ""},
		{"base64 of RFC 8410", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=", ""},
		{"PEM", pemKey, ""},
		{"a file with PEM", write("pem", pemKey), ""},
		{"a file with base64", write("base64", inBase64+"\n"), ""},
		{"a private key", private, `it is not a public key but "PRIVATE KEY": take the public one with openssl pkey`},
		{"a file with a private key", write("private", private), `it is not a public key but "PRIVATE KEY"`},
		{"no such file", filepath.Join(folder, "nowhere"), "no such file"},
		{"a folder", folder, "not a file"},
		{"an empty file", write("empty", ""), "it has no public key in PEM"},
		{"another file", write("other", "hello\n"), "it has no public key in PEM"},
		{"too short", "GdtQk6Aj8L6KYNuFNmQwGJbNYGQ4w8mBGHmPjh8E", "read as the path of a file"},
		{"another algorithm", "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=", "it is not "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key, err := LoadPublicKey(test.value)
			switch {
			case test.want == "" && (err != nil || len(key) != ed25519.PublicKeySize):
				t.Errorf("%v %v", key, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "MC4CAQ"):
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

// TestKeysStaySecret: a private key in place of a public one, or of a path, is in no error,
// however it is written.
func TestKeysStaySecret(t *testing.T) {
	t.Parallel()
	private := ed25519.PrivateKey(keyOf("a"))
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"PKCS #8": der, "seed and public key": private, "seed and more": append(private.Seed(), 1)} {
		padded := base64.StdEncoding.EncodeToString(secret)
		for form, test := range map[string]struct{ text, says string }{
			"base64":                    {padded, takePublic},
			"without padding":           {strings.TrimRight(padded, "="), takePublic},
			"for URLs":                  {base64.URLEncoding.EncodeToString(secret), takePublic},
			"for URLs, without padding": {base64.RawURLEncoding.EncodeToString(secret), takePublic},
			"in lines":                  {padded[:20] + "\n" + padded[20:], takePublic},
			"with spaces":               {" " + padded[:20] + " " + padded[20:], takePublic},
			"hexadecimal":               {hex.EncodeToString(secret), takePublic},
			"PEM":                       {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), takePublic},
			"PEM in one line":           {"-----BEGIN PRIVATE KEY----- " + padded + " -----END PRIVATE KEY-----", takePublic},
			"cut off":                   {padded[1:], ""},
			"quoted":                    {strconv.Quote(padded), "no file is found there"},
			"with its name":             {"key=" + padded, ""},
			"in a folder":               {"/keys/" + padded, ""},
		} {
			_, public := LoadPublicKey(test.text)
			_, signing := LoadPrivateKey(test.text)
			for _, err := range []error{public, signing} {
				if err == nil {
					t.Errorf("%s, %s: it is accepted", name, form)
				} else if strings.Contains(err.Error(), padded[24:40]) || strings.Contains(err.Error(), test.text[10:30]) {
					t.Errorf("%s, %s: the error has the key: %v", name, form, err)
				}
			}
			if public != nil && !strings.Contains(public.Error(), test.says) {
				t.Errorf("%s, %s: %v, want %q", name, form, public, test.says)
			}
		}
	}
}

// TestPathLikeKey: a path that could be base64 is one if there is such a file.
func TestPathLikeKey(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	name := strings.Repeat("keys", 12)
	if err := os.WriteFile(name, []byte(keyOf("a").Public().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadPublicKey(name); err != nil || !bytes.Equal(key, keyOf("a").Public()) {
		t.Errorf("%v %v", key, err)
	}
}

func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, test := range []struct{ name, content, want string }{
		{"nothing", "", "it has no private key in PEM"},
		{"encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4=\n-----END ENCRYPTED PRIVATE KEY-----\n", "the key is encrypted"},
		{"public", "-----BEGIN PUBLIC KEY-----\nMC4=\n-----END PUBLIC KEY-----\n", `it is not a private key but "PUBLIC KEY"`},
		{"damaged", "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n", "not a private key in PKCS #8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder, test.name)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadPrivateKey(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// FuzzOpen: whatever is not signed is refused; what can be signed is read or refused, and
// what is read is written in the same form.
func FuzzOpen(f *testing.F) {
	key := keyOf("a")
	good := signed(f, key)
	f.Add(good)
	f.Add(good[:len(good)-90])
	f.Add([]byte(magic + "1\n# based on: 2026-11-28\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys := []PublicKey{key.Public()}
		if _, err := Open(content, "map", keys, madeAt); err == nil && !bytes.Equal(content, good) {
			t.Fatalf("a forged bundle: %q", content)
		}
		made, err := Sign(content, key)
		if err != nil {
			return
		}
		bundle, err := Open(made, "map", keys, madeAt)
		if err != nil {
			if len(err.Error()) > 10_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := Write(bundle.Catalog, bundle.BasedOn, bundle.Made)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Read(again, "map")
		if err != nil || read.Version != bundle.Version {
			t.Errorf("%v", err)
		}
	})
}
