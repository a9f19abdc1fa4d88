package tokens

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// An invented value, because no real token belongs in a repository, and its ID as
// computed by sha256sum.
const (
	somePAT   = "dapi0123456789abcdef0123456789abcdef"
	somePATID = "033a260745662d058cf6e77ffcbc2de0fea7ec786055e23efe2dfd3e6dd7a85e"
)

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

func TestParseAuthorization(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
	good := Credential{Kind: PAT, ID: IDOf(somePAT)}
	for _, test := range []struct {
		name   string
		values []string
		want   Credential
		err    error
	}{
		{"bearer", []string{"Bearer " + somePAT}, good, nil},
		{"bearer in lower case", []string{"bearer " + somePAT}, good, nil},
		{"basic", []string{basic("token:" + somePAT)}, good, nil},
		{"basic scheme in upper case", []string{"BASIC " + strings.TrimPrefix(basic("token:"+somePAT), "Basic ")}, good, nil},
		{"suffix", []string{"Bearer " + somePAT + "-2"}, Credential{Kind: PAT, ID: IDOf(somePAT + "-2")}, nil},
		{"jwt", []string{"Bearer " + jwt}, Credential{Kind: JWT}, nil},

		{"none", nil, Credential{}, ErrNoCredential},
		{"empty", []string{""}, Credential{}, ErrNoCredential},
		{"two", []string{"Bearer " + somePAT, "Bearer " + somePAT}, Credential{}, ErrSeveralCredentials},
		{"two, one empty", []string{"", "Bearer " + somePAT}, Credential{}, ErrSeveralCredentials},
		{"two in one value", []string{"Bearer " + somePAT + ", Bearer " + somePAT}, Credential{}, ErrUnsupportedCredential},
		{"no scheme", []string{somePAT}, Credential{}, ErrUnsupportedCredential},
		{"other scheme", []string{"Digest " + somePAT}, Credential{}, ErrUnsupportedCredential},
		{"two spaces", []string{"Bearer  " + somePAT}, Credential{}, ErrUnsupportedCredential},
		{"tab", []string{"Bearer\t" + somePAT}, Credential{}, ErrUnsupportedCredential},
		{"trailing space", []string{"Bearer " + somePAT + " "}, Credential{}, ErrUnsupportedCredential},
		{"upper case prefix", []string{"Bearer DAPI0123456789abcdef0123456789abcdef"}, Credential{}, ErrUnsupportedCredential},
		{"cluster-internal token", []string{"Bearer dkea0123456789abcdef0123456789abcdef"}, Credential{}, ErrUnsupportedCredential},
		{"client secret", []string{"Bearer dose0123456789abcdef0123456789abcdef"}, Credential{}, ErrUnsupportedCredential},
		{"pasted token id", []string{"Bearer " + somePATID}, Credential{}, ErrUnsupportedCredential},
		{"too short", []string{"Bearer dapi0123456789abcde"}, Credential{}, ErrUnsupportedCredential},
		{"too long", []string{"Bearer dapi" + strings.Repeat("a", 129)}, Credential{}, ErrUnsupportedCredential},
		{"newline inside", []string{"Bearer dapi0123456789abcdef\n0123456789abcdef"}, Credential{}, ErrUnsupportedCredential},
		{"not ASCII", []string{"Bearer dapi0123456789abcdef0123456789abcdéf"}, Credential{}, ErrUnsupportedCredential},
		{"basic with another user", []string{basic("alice@example.com:" + somePAT)}, Credential{}, ErrUnsupportedCredential},
		{"basic with Token", []string{basic("Token:" + somePAT)}, Credential{}, ErrUnsupportedCredential},
		{"basic with a JWT", []string{basic("token:" + jwt)}, Credential{}, ErrUnsupportedCredential},
		{"basic without colon", []string{basic(somePAT)}, Credential{}, ErrUnsupportedCredential},
		{"basic unpadded", []string{strings.TrimRight(basic("token:"+somePAT+"-2"), "=")}, Credential{}, ErrUnsupportedCredential},
		{"basic with a newline", []string{basic("token:" + somePAT)[:20] + "\n" + basic("token:" + somePAT)[20:]}, Credential{}, ErrUnsupportedCredential},
		{"basic with stray bits", []string{"Basic dG9rZW46ZGFwaTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmLTJ="}, Credential{}, ErrUnsupportedCredential},
		{"basic, huge", []string{"Basic " + strings.Repeat("A", 1<<20)}, Credential{}, ErrUnsupportedCredential},
		{"jwt of two parts", []string{"Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0"}, Credential{}, ErrUnsupportedCredential},
		{"jwt with an empty part", []string{"Bearer eyJhbGciOiJSUzI1NiJ9..c2ln"}, Credential{}, ErrUnsupportedCredential},
		{"jwt without signature", []string{"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}, Credential{}, ErrUnsupportedCredential},
		{"encrypted jwt", []string{"Bearer eyJh.b.c.d.e"}, Credential{}, ErrUnsupportedCredential},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseAuthorization(test.values)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, test.want, test.err)
			}
			if err != nil && strings.Contains(err.Error(), "0123456789") {
				t.Errorf("the error quotes the header: %v", err)
			}
		})
	}
}

// FuzzParseAuthorization checks that an accepted PAT can be read from the header by the
// simplest possible parser, and hashes to the same ID.
func FuzzParseAuthorization(f *testing.F) {
	f.Add("Bearer " + somePAT)
	f.Add(basic("token:" + somePAT))
	f.Add("Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln")
	f.Add("Basic dG9rZW46")
	f.Fuzz(func(t *testing.T, value string) {
		credential, err := ParseAuthorization([]string{value})
		if (err == nil) == (credential.Kind == NoCredential) {
			t.Fatalf("credential %v with error %v", credential, err)
		}
		if credential.Kind != PAT {
			return
		}
		_, text, _ := strings.Cut(value, " ")
		if strings.EqualFold(value[:5], "basic") {
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			if base64.StdEncoding.EncodeToString(decoded) != text {
				t.Fatalf("accepted base64 that has a second spelling")
			}
			text = strings.TrimPrefix(string(decoded), "token:")
		}
		if !strings.HasPrefix(text, "dapi") || IDOf(text) != credential.ID {
			t.Fatalf("the id is not that of the token in the header")
		}
	})
}

func BenchmarkParseAuthorization(b *testing.B) {
	values := []string{"Bearer " + somePAT}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAuthorization(values); err != nil {
			b.Fatal(err)
		}
	}
}
