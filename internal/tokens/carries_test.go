package tokens

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestCarriesPAT(t *testing.T) {
	t.Parallel()
	pat := "dapi" + strings.Repeat("0123456789abcdef", 2)
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for value, want := range map[string]bool{
		"Bearer " + pat:         true,
		"bearer " + pat + "-2":  true,
		"Bearer  \t" + pat:      true,
		`Bearer "` + pat + `"`:  true,
		pat:                     true,
		" " + pat:               true,
		"Token " + pat:          true,
		"Bearer DAPI" + pat[4:]: true,
		basic("token:" + pat):   true,
		basic("anyone:" + pat):  true,
		basic(pat + ":"):        true,
		basic(pat):              true,
		basic("token: " + pat):  true,
		"basic " + base64.RawURLEncoding.EncodeToString([]byte("token:"+pat)): true,
		"Bearer\t" + pat:                 true,
		"Bearer Bearer " + pat:           true,
		"Bearer" + pat:                   true,
		"Bearer '" + pat + "'":           true,
		"Bearer \u201c" + pat + "\u201d": true,
		"Bearer \u00a0" + pat:            true,
		"Bearer \u200b" + pat:            true,
		"Bearer token=" + pat:            true,
		"token:" + pat:                   true,
		"Bearer%20" + pat:                true,
		"Bearer %64api" + pat[4:]:        true,
		"Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln, Bearer " + pat:          true,
		"Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln, " + basic("token:"+pat): true,
		basic("token:"+pat) + ", Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln": true,
		strings.Replace(basic("token:"+pat), " ", "\t", 1):             true,
		strings.Replace(basic("token:"+pat), " ", "", 1):               true,
		strings.Replace(basic("token:"+pat), " ", ": '", 1):            true,
		strings.Replace(basic("token:"+pat), "dG9r", "dG 9r", 1):       true,
		strings.Replace(basic("token:"+pat+"0"), "=", "%3D", 2):        true,
		"Bearer" + basic(pat)[5:]:                                      true,
		basic("token:Bearer " + pat):                                   true,
		basic("token:" + pat + strings.Repeat(" ", 8<<10)):             true,
		basic(strings.Repeat("x", 8<<10) + ":" + pat):                  true,
		"":                  false,
		"Bearer":            false,
		"Bearer dapi":       false,
		"Bearer dapi-short": false,
		"Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkYXBpMDEyMzQ1Njc4OWFiY2RlZiJ9.c2ln": false,
		"Bearer eyJ" + pat + ".a.b":                        false,
		"Bearer dose0123456789abcdef0123456789abcdef":      false,
		basic("1b2c:dose0123456789abcdef0123456789abcdef"): false,
		basic("me@example.com:hush"):                       false,
		"Basic !!!":                                        false,
		"Basic " + strings.Repeat("A", 5<<10):              false,
	} {
		if got := CarriesPAT([]string{value}); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
	if !CarriesPAT([]string{"Basic eDp5", "Bearer " + pat}) || CarriesPAT(nil) {
		t.Error("several, or none")
	}
}

// FuzzCarriesPAT: whatever is accepted as a personal access token is recognized.
func FuzzCarriesPAT(f *testing.F) {
	pat := "dapi" + strings.Repeat("0123456789abcdef", 2)
	for _, seed := range []string{"Bearer " + pat, "Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+pat)), "Bearer eyJ.a.b", "x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		credential, err := ParseAuthorization([]string{value})
		accepted := err == nil && credential.Kind == PAT
		if carries := CarriesPAT([]string{value}); accepted && !carries {
			t.Fatalf("%q is not recognized", value)
		}
	})
}
