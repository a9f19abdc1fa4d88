package sanitize

import (
	b64 "encoding/base64"
	hexenc "encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/testing/race"
)

const (
	pat = "dapi0123456789abcdef0fedcba987654321"
	jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhQGV4YW1wbGUuY29tIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
)

func percent(s string, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func basic(s string) string { return b64.StdEncoding.EncodeToString([]byte(s)) }

// TestHidden names what is hidden, and what of it stays.
func TestHidden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"token":                  {"/a/" + pat + "/b", "/a/dapi…/b"},
		"two tokens":             {pat + " " + pat, "dapi… dapi…"},
		"token in a word":        {"x" + pat, "xdapi…"},
		"upper case":             {strings.ToUpper(pat), "DAPI…"},
		"as a header name":       {"Dapi" + pat[4:], "Dapi…"},
		"with a version":         {pat + "-2", "dapi…"},
		"cluster token":          {"dkea" + pat[4:], "dkea…"},
		"OAuth secret":           {"dose" + pat[4:], "dose…"},
		"other cluster token":    {"dosa" + pat[4:], "dosa…"},
		"JWT":                    {"/a/" + jwt + "/b", "/a/eyJ…/b"},
		"percent":                {"/%64api" + pat[4:] + "/b", "/…/b"},
		"percent, whole":         {"/" + percent(pat, "%%%02x") + "/b", "/…/b"},
		"percent, upper case":    {"/" + percent(pat, "%%%02X") + "/b", "/…/b"},
		"percent, once inside":   {"/dapi01%32" + pat[7:] + "/b", "/dapi…/b"},
		"percent, twice":         {"/%2564api" + pat[4:] + "/b", "/…/b"},
		"percent, twice, whole":  {"/" + percent(percent(pat, "%%%02x"), "%%%02x"), "/…"},
		"percent, four times":    {"/%25252564api" + pat[4:] + "/b", "/…/b"},
		"percent after percent":  {"/%4" + "dapi01%32" + pat[7:] + "/b", "/…/b"},
		"percent before token":   {"/%" + "dapi01%32" + pat[7:] + "/b", "/%dapi…/b"},
		"percent, invisible":     {"/dapi01%E2%80%AE" + pat[6:], "/dapi…"},
		"JSON":                   {`\u0064api` + pat[4:], "…"},
		"JSON in JSON":           {`\\u0064api` + pat[4:], "…"},
		"JSON, slash":            {`a\/` + pat[:9] + `\u0035` + pat[10:], `a\/dapi…`},
		"programs":               {percent(pat, `\x%02x`), "…"},
		"octal":                  {percent(pat, `\%03o`), "…"},
		"braces":                 {percent(pat, `\u{%x}`), "…"},
		"percent, IIS":           {percent(pat, `%%u%04x`), "…"},
		"HTML":                   {percent(pat, "&#%d;"), "…"},
		"HTML, hexadecimal":      {percent(pat, "&#x%x;"), "…"},
		"HTML in HTML":           {percent(pat, "&amp;#x%x;"), "…"},
		"quoted-printable":       {percent(pat, "=%02X"), "…"},
		"quoted-printable, wrap": {"x=" + pat[:20] + "=\r\n" + pat[20:], "x=dapi…"},
		"hexadecimal":            {"/a " + hexenc.EncodeToString([]byte(pat)), "/a …"},
		"hexadecimal, odd":       {"/a f" + strings.ToUpper(hexenc.EncodeToString([]byte(pat))), "/a f…"},
		"Basic":                  {"Basic " + basic("token:"+pat) + " x", "Basic … x"},
		"basic, password":        {"agent basic " + basic("me@example.com:hunter22hunter22") + " x", "agent basic … x"},
		"Basic, plus":            {"Basic+" + basic("token:"+pat) + " x", "Basic+… x"},
		"Basic, cut":             {"Basic " + basic("token:" + pat)[:20] + strings.Repeat("x", 5000), "Basic …"},
		"base64":                 {"agent " + basic("{"+pat+"}") + " x", "agent e…0= x"},
		"base64 of UTF-16":       {"agent " + basic(strings.Join(strings.Split(pat, ""), "\x00")+"\x00") + " x", "agent …A x"},
		"base64, wrapped":        {strings.Repeat("QUJD", 16)[:53] + basic("xyz" + pat)[:12] + "\n" + basic("xyz" + pat)[12:], strings.Repeat("QUJD", 16)[:53] + "eHl6…"},
		"Bearer":                 {"Bearer 0123456789abcdef0123", "Bearer …"},
		"bearer, a word":         {"bearer authentication-required", "bearer authentication-required"},
		"Basic, a word":          {"basic authentication", "basic authentication"},
		"URL with a password":    {"http://user:pass@host/path", "http://…@host/path"},
		"URL with a port":        {"http://host:8080/a@b", "http://host:8080/a@b"},
		"invisible inside":       {"dapi0123\u200b4567" + pat[12:], "dapi…"},
		"direction inside":       {"dapi0123\u202e4567" + pat[12:], "dapi…"},
		"variation inside":       {"dapi0123\ufe0f4567" + pat[12:], "dapi…"},
		"joiner inside":          {"dapi0123\u034f4567" + pat[12:], "dapi…"},
		"HTML, invisible":        {"dapi0123&shy;4567&ZeroWidthSpace;" + pat[12:], "dapi…"},
		"HTML, no semicolons":    {percent(pat, "&#%d"), "…"},
		"HTML, many zeros":       {percent(pat, "&#%030d;"), "…"},
		"HTML, letters":          {"&dopf;&#x1d552;p&#x1d55a;" + pat[4:], "…"},
		"full width":             {"a " + shifted(pat, 0xfee0) + " b", "a … b"},
		"mathematical":           {"a " + monospaced(pat) + " b", "a … b"},
		"surrogates":             {`\ud835\udd55api` + pat[4:], "…"},
		"Java":                   {`\uuu0064api` + pat[4:], "…"},
		"quoted-printable, UTF":  {"dapi0123=E2=80=8B4567" + pat[12:], "dapi…"},
		"quoted-printable, pad":  {"x=" + pat[:20] + "= \t\n" + pat[20:], "x=dapi…"},
		"base64, short lines":    {"a " + wrapped(basic(pat), 8, "\n") + " b", "a … b"},
		"after a broken escape":  {"q=" + hexenc.EncodeToString([]byte(pat))[:11] + "%" + hexenc.EncodeToString([]byte{hexenc.EncodeToString([]byte(pat))[11]}) + hexenc.EncodeToString([]byte(pat))[12:], "q=…"},
		"too short":              {"/dapi0123456789", "/dapi0123456789"},
		"no prefix":              {"/0123456789abcdef0123456789abcdef", "/0123456789abcdef0123456789abcdef"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Text(test.in, MaxText)
			if name == "Basic, cut" {
				got = String(test.in[:60], 40)
				got = got[:min(len(got), len(test.want))]
			}
			if got != test.want {
				t.Errorf("%q: got %q, want %q", test.in, got, test.want)
			}
			if again := Text(got, MaxText); again != got {
				t.Errorf("not stable: %q, then %q", got, again)
			}
		})
	}
}

// ordinaryTexts must stay as they are.
var ordinaryTexts = []string{
	"", "/api/2.1/jobs/list", "/api/2.1/unity-catalog/entity-tag-assignments/columns/main.sales.orders.amount/tags",
	"databricks-sdk-py/0.20.0 python/3.10.4 os/linux auth/pat", "databricks-sql-connector/3.0.1 (Apache-HttpClient/4.5.14 (Java/17.0.9))",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
	"/api/2.0/fs/files/Volumes/main/default/data/year%3D2024/part-00000-9a1b2c3d-1234-5678-9abc-def012345678-c000.snappy.parquet",
	"/api/2.0/sql/statements/01ef1234-5678-1abc-9def-0123456789ab/result/chunks/12",
	"6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	"/api/2.0/token-management/tokens/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	"Ünïcode names, 日本語, emoji 🙂", "a\u00a0b", "looking up token: dial tcp 127.0.0.1:443: connect: connection refused",
	"no databricks_scopes handler & nothing else", "a=b&c=d", `C:\temp\file`, "100%", "50% of it", "a%20b", "…", "https://adb-123.4.azuredatabricks.net",
	"sha256:0123456789abcdef", "x-request-id: 0123", "/Workspace/Users/someone@example.com/notebook",
	`{"level":"info","ts":1700000000.1,"logger":"http.handlers.databricks_scopes.audit","msg":"decision"}`,
	"Provided access token does not have required scopes: clusters [ReqId: 6f1c3e0a-3b1f-4d9e-8a43-6a2f0d6b7c11]",
	"/api/2.0/workspace/list/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
}

func TestOrdinaryStays(t *testing.T) {
	for _, s := range ordinaryTexts {
		if got := String(s, MaxText); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if race.Enabled {
		return // it allocates
	}
	allocations := testing.AllocsPerRun(100, func() {
		for _, s := range ordinaryTexts {
			String(s, MaxText)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x1b[31mb":         `a\u{1b}[31mb`,
		"a\u009b31mb":        `a\u{9b}31mb`,
		"a\u202eb":           `a\u{202e}b`,
		"a\u2066b\u2069":     `a\u{2066}b\u{2069}`,
		"\u200e\u200f\u061c": `\u{200e}\u{200f}\u{61c}`,
		"a\u200bb\ufeff":     `a\u{200b}b\u{feff}`,
		"a\u2028b\u2029":     `a\u{2028}b\u{2029}`,
		"a\nb\tc\rd\x7f\x00": `a\nb\tc\rd\u{7f}\u{0}`,
		"a\xffb\xc3":         "a\ufffdb\ufffd",
		"\U000e0041\ue000":   `\u{e0041}\u{e000}`,
	} {
		if got := String(in, MaxText); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if got, want := Text("a\nb\tc\rd\x1b", MaxText), "a\nb\tc\\rd\\u{1b}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLimit cuts a text with a secret at every position, in every encoding.
func TestLimit(t *testing.T) {
	t.Parallel()
	for _, encode := range slices.Concat(encodings, disguises) {
		text := strings.Repeat("/a", 30) + "/" + encode(pat) + "/" + strings.Repeat("b/", 500)
		step := 1
		if race.Enabled {
			step = 7
		}
		for limit := 0; limit < 300; limit += step {
			got := String(text, limit)
			if len(got) > limit || !utf8.ValidString(got) {
				t.Fatalf("limit %d: %d bytes: %q", limit, len(got), got)
			}
			if found := leak(got, pat); found != "" {
				t.Fatalf("limit %d: %q reveals %q", limit, got, found)
			}
		}
	}
	if got := String(strings.Repeat("é", 100), 20); got != strings.Repeat("é", 8)+Mark {
		t.Errorf("got %q", got)
	}
	if got := String(strings.Repeat("\x80", 100), 20); got == "" || len(got) > 20 {
		t.Errorf("got %q", got)
	}
	if got := String(strings.Repeat("\u202e", 100), 300); len(got) > 300 || !strings.HasSuffix(got, `\u{202e}`+Mark) {
		t.Errorf("got %q", got)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/a/b": "/a/b", "/a?q=secret": "/a…", "http://u:p@h/a?x": "http://…@h/a…", "/a#b": "/a…", "/" + pat + "?x": "/dapi…",
	} {
		if got := Target(in, 1000); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := Target(strings.Repeat("a", 100)+"?secret", 50); len(got) > 50 || strings.Contains(got, "s") {
		t.Errorf("got %q", got)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	inner := errors.New("no " + pat)
	if err := Error(inner); err.Error() != "no dapi…" || !errors.Is(err, inner) {
		t.Errorf("got %v", err)
	}
	if plain := errors.New("plain"); Error(plain).Error() != "plain" || Error(nil) != nil {
		t.Error("changed")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":"b","n":1.5,"l":["x\u003c"]}`:      `{"a":"b","n":1.5,"l":["x\u003c"]}`,
		`{"a":"` + pat + `"}`:                    `{"a":"dapi…"}`,
		`{"` + pat + `":null}`:                   `{"dapi…":null}`,
		`["\u0064api` + pat[4:] + `", 1]`:        `["dapi…", 1]`,
		"[\"a\u009bb\u202e\"]":                   `["a\\u{9b}b\\u{202e}"]`,
		`["line\nbreak \"quoted\" ` + pat + `"]`: `["line\nbreak \"quoted\" dapi…"]`,
		`["unfinished ` + pat:                    `["unfinished ` + pat, // not JSON
		``:                                       ``,
	} {
		if got := string(JSON([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := NewWriter(&out)
	for _, part := range []string{"a " + pat[:10], pat[10:] + " b\nc\x1b", "[0m\n", "prompt? "} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "a dapi… b\nc\\u{1b}[0m\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
	if err := w.Flush(); err != nil || !strings.HasSuffix(out.String(), "\nprompt? ") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// wrapped breaks a text into lines.
func wrapped(s string, width int, end string) string {
	var b strings.Builder
	for ; len(s) > width; s = s[width:] {
		b.WriteString(s[:width] + end)
	}
	return b.String() + s
}

// without encodes texts that do not hold the character with which escapes begin, as this would
// have to be escaped too.
func without(escape string, encode func(string) string) func(string) string {
	return func(s string) string {
		if strings.Contains(s, escape) {
			return s
		}
		return encode(s)
	}
}

// between puts something between the characters of a text.
func between(s, what string) string { return strings.Join(strings.Split(s, ""), what) }

// shifted moves printable characters of ASCII elsewhere.
func shifted(s string, by rune) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r + by
		}
		return r
	}, s)
}

func monospaced(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 0x1d68a
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 0x1d670
		case '0' <= r && r <= '9':
			return r - '0' + 0x1d7f6
		}
		return r
	}, s)
}

// encodings wrap a text in what people and programs wrap it in.
var encodings = []func(string) string{
	func(s string) string { return s },
	func(s string) string { return percent(s, "%%%02x") },
	func(s string) string { return percent(s, "%%%02X") },
	func(s string) string { return "%" + hexenc.EncodeToString([]byte(s[:1])) + s[1:] },
	func(s string) string { i := len(s) / 2; return s[:i] + percent(s[i:i+1], "%%%02X") + s[i+1:] },
	func(s string) string { return url.QueryEscape(percent(s, "%%%02x")) },
	func(s string) string { return percent(s, `\u%04x`) },
	func(s string) string { return percent(s, `\x%02x`) },
	func(s string) string { return percent(s, "&#%d;") },
	func(s string) string { return percent(s, "=%02X") },
	func(s string) string { return percent(s, "%02x") },
	func(s string) string { return percent(s, "%02X") },
	func(s string) string { return b64.StdEncoding.EncodeToString([]byte("token:" + s)) },
	func(s string) string { return b64.RawURLEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return b64.URLEncoding.EncodeToString([]byte("x" + s + "~~")) },
	func(s string) string { return b64.RawStdEncoding.EncodeToString([]byte("??" + s)) },
	func(s string) string { return percent(s, "&#%d") + ";" },
	func(s string) string { return percent(s, "&#x%x") + " " },
	func(s string) string { return percent(s, "&#%012d;") },
	func(s string) string { return percent(s, "&#x%020X;") },
	func(s string) string { return percent(s, `\u{%08x}`) },
	without("&", func(s string) string { return between(s, "&shy;") }),
	without("&", func(s string) string { return between(s, "&shy") }),
	without("&", func(s string) string { return s[:6] + "&ZeroWidthSpace;" + s[6:8] + "&zwnj;&#8205;&NoBreak;" + s[8:] }),
	without("=", func(s string) string { return s[:7] + "=E2=80=8B" + s[7:] }),
	without(`\`, func(s string) string { return s[:7] + `\u200b` + s[7:] }),
	without("=", func(s string) string { return wrapped(s, 9, "=\r\n") }),
	without("=", func(s string) string { return wrapped(s, 9, "= \t\r\n") }),
	without("=", func(s string) string { return wrapped(s, 9, "=\n") }),
	func(s string) string { return wrapped(basic(s), 4, "\n") },
	func(s string) string { return wrapped(basic("x"+s), 20, "\r\n") },
	func(s string) string { return wrapped(basic(s), 41, " \n  ") },
	func(s string) string { return wrapped(percent(s, "%02x"), 16, "\n") },
	func(s string) string { return percent(shifted(s, 0xfee0), "%%%02X") },
}

// disguises are encodings whose results are not ASCII. They are not looked for inside of
// base64 and hexadecimal, where nearly every hash could hold some.
var disguises = []func(string) string{
	func(s string) string { return between(s, "\ufe0f") },
	func(s string) string { return between(s, "\U000e0101") },
	func(s string) string { return between(s, "\u034f") },
	func(s string) string { return shifted(s, 0xfee0) },
	monospaced,
	func(s string) string { return percent(shifted(s, 0xfee0), "=%02X") },
	func(s string) string { return percent(monospaced(s), `\x%02x`) },
	func(s string) string { return percent(between(s, "\ufe0f"), `\%03o`) },
}
