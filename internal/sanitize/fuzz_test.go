package sanitize

import (
	b64 "encoding/base64"
	hexenc "encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/scopegate/scopegate/internal/testing/race"
)

// run is how many bytes of a secret in a row must not be seen.
const run = 8

// leak returns a part of a secret that a text shows, as it is or with up to two encodings
// undone. It decodes with other code than the package.
func leak(text, secret string) string {
	texts := []string{text}
	for level := 0; ; level++ {
		for _, text := range texts {
			lower := strings.ToLower(text)
			for i := range len(secret) - run + 1 {
				if part := strings.ToLower(secret[i : i+run]); strings.Contains(lower, part) {
					return part
				}
			}
		}
		if level == 2 {
			return ""
		}
		var next []string
		for _, text := range texts {
			next = append(next, undo(text)...)
		}
		texts = next
	}
}

var (
	percents  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	printable = regexp.MustCompile(`=[0-9A-Fa-f]{2}`)
	unicodes  = regexp.MustCompile(`\\u[0-9A-Fa-f]{4}`)
	bytesHex  = regexp.MustCompile(`\\x[0-9A-Fa-f]{2}`)
	softBreak = regexp.MustCompile(`=[ \t]*\r?\n`)
	lineBreak = regexp.MustCompile(`([A-Za-z0-9+/_-])[ \t]*\r?\n[ \t]*`)
	unseen    = regexp.MustCompile("[\u00ad\u034f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U000e0100-\U000e01ef]")
	packedRun = regexp.MustCompile(`[A-Za-z0-9+/_-]{11,}`)
	hexRun    = regexp.MustCompile(`[0-9A-Fa-f]{16,}`)
)

// undo returns what a text may encode.
func undo(text string) (decoded []string) {
	number := func(digits int) func(string) string {
		return func(s string) string {
			n, _ := strconv.ParseUint(s[len(s)-digits:], 16, 32)
			if n < utf8.RuneSelf {
				return string(rune(n))
			}
			return s
		}
	}
	for _, other := range []string{
		percents.ReplaceAllStringFunc(text, number(2)), printable.ReplaceAllStringFunc(text, number(2)),
		unicodes.ReplaceAllStringFunc(text, number(4)), bytesHex.ReplaceAllStringFunc(text, number(2)), html.UnescapeString(text),
		softBreak.ReplaceAllString(text, ""), lineBreak.ReplaceAllString(text, "$1"), unseen.ReplaceAllString(text, ""), norm.NFKC.String(strings.ReplaceAll(text, Mark, " ")),
	} {
		if other != text {
			decoded = append(decoded, other)
		}
	}
	for _, chars := range packedRun.FindAllString(text, -1) {
		chars = strings.NewReplacer("-", "+", "_", "/").Replace(chars)
		for offset := range 4 {
			part := chars[offset:]
			part = part[:len(part)/4*4]
			if plain, err := b64.StdEncoding.DecodeString(part); err == nil {
				decoded = append(decoded, string(plain))
			}
		}
	}
	for _, chars := range hexRun.FindAllString(text, -1) {
		for offset := range 2 {
			part := chars[offset:]
			if plain, err := hexenc.DecodeString(part[:len(part)/2*2]); err == nil {
				decoded = append(decoded, string(plain))
			}
		}
	}
	return decoded
}

func randomSecret(r *rand.Rand) string {
	letters := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	switch r.IntN(5) {
	case 0:
		return "eyJ" + letters(base64url, 20+r.IntN(30)) + "." + letters(base64url, 30+r.IntN(40)) + "." + letters(base64url, 43)
	case 1:
		return []string{"dkea", "dose", "dosa"}[r.IntN(3)] + letters("0123456789abcdef", 32)
	case 2:
		return "dapi" + letters(base64url, 16+r.IntN(40))
	}
	return "dapi" + letters("0123456789abcdef", 32) + []string{"", "-2", "-3"}[r.IntN(3)]
}

// randomAround returns what stands before or after a secret.
func randomAround(r *rand.Rand) string {
	parts := []string{"/", "a", "?q=", "&x=", " ", "Basic ", "token:", "%2", "%4", "%", "=", `\`, `"`, "é", "\u202e", "\u009b", "\xff", "dap", "eyJ", "ZGFwa", "0", "api/2.1/jobs/", "(x) ", "&#", "\n", ";", "VVVV", "Zm9v"}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// check sanitizes a random secret in random encodings.
func check(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	secret := randomSecret(r)
	encoded := secret
	for range r.IntN(4) {
		encoded = encodings[r.IntN(len(encodings))](encoded)
	}
	if r.IntN(4) == 0 {
		encoded = disguises[r.IntN(len(disguises))](encoded)
	}
	before, after := randomAround(r), randomAround(r)
	text := before + encoded + after
	limits := []int{NoLimit, 1024, 256, max(0, len(before)+r.IntN(len(encoded)+10))}
	for _, limit := range limits {
		for name, safe := range map[string]string{
			"String": String(text, limit), "Text": Text(text, limit), "JSON": string(JSON(quote(text))),
		} {
			if found := leak(safe, secret); found != "" {
				t.Fatalf("seed %d, %s, limit %d: %q of %q in %q from %q", seed, name, limit, found, secret, safe, text)
			}
			if name != "JSON" && len(safe) > limit || !utf8.ValidString(safe) {
				t.Fatalf("seed %d, %s: limit %d: %q", seed, name, limit, safe)
			}
			for _, c := range safe {
				if c != '\n' && c != '\t' && Invisible(c) {
					t.Fatalf("seed %d, %s: %U in %q", seed, name, c, safe)
				}
			}
		}
		if safe := String(text, limit); String(safe, limit) != safe {
			t.Fatalf("seed %d, limit %d: not stable: %q, then %q", seed, limit, safe, String(safe, limit))
		}
	}
}

func TestRandomSecrets(t *testing.T) {
	t.Parallel()
	seeds := uint64(1_000)
	if race.Enabled {
		seeds = 50
	}
	for seed := range seeds {
		check(t, seed)
	}
}

func FuzzSecrets(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(check)
}

// FuzzText sanitizes anything.
func FuzzText(f *testing.F) {
	for _, s := range ordinaryTexts {
		f.Add(s, 100)
	}
	for i, encode := range encodings {
		f.Add(encode(pat), 10*i)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, limit)
		safe := String(s, limit)
		if len(safe) > limit || !utf8.ValidString(safe) {
			t.Errorf("limit %d: %q", limit, safe)
		}
		if again := String(safe, limit); again != safe {
			t.Errorf("limit %d: %q became %q, then %q", limit, s, safe, again)
		}
		if work := fmt.Sprintf("%q", url.PathEscape(safe)); len(work) == 0 {
			t.Error("empty")
		}
	})
}
