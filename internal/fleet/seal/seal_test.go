package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func keysOf(t testing.TB, fill ...byte) *Keys {
	t.Helper()
	var texts []string
	for _, b := range fill {
		texts = append(texts, hex.EncodeToString(bytes.Repeat([]byte{b}, 32)))
	}
	keys, err := ReadKeys(texts)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestReadKeys(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{0xfb}, 32) // base64 has + and /, or - and _
	for name, c := range map[string]struct {
		texts []string
		says  string // part of the error, empty for none
	}{
		"hex":                    {texts: []string{hex.EncodeToString(secret)}},
		"base64":                 {texts: []string{base64.StdEncoding.EncodeToString(secret)}},
		"base64, unpadded":       {texts: []string{base64.RawStdEncoding.EncodeToString(secret)}},
		"base64 for URLs":        {texts: []string{base64.URLEncoding.EncodeToString(secret)}},
		"a line":                 {texts: []string{hex.EncodeToString(secret) + "\n"}},
		"two":                    {texts: []string{hex.EncodeToString(secret), strings.Repeat("ab", 40)}},
		"none":                   {says: "no key"},
		"empty":                  {texts: []string{""}, says: "needs 32"},
		"too short":              {texts: []string{strings.Repeat("ab", 31)}, says: "31 bytes"},
		"neither":                {texts: []string{strings.Repeat("!", 64)}, says: "neither base64 nor hex"},
		"the same":               {texts: []string{hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)}, says: "the same"},
		"the second one is none": {texts: []string{hex.EncodeToString(secret), "??"}, says: "key 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadKeys(c.texts)
			switch {
			case err == nil && c.says != "", err != nil && c.says == "":
				t.Fatalf("error %v, want %q", err, c.says)
			case err != nil && !strings.Contains(err.Error(), c.says):
				t.Errorf("error %v, want %q", err, c.says)
			case err != nil && len(c.texts) > 0 && c.texts[0] != "" && strings.Contains(err.Error(), c.texts[0]):
				t.Error("the error quotes the key")
			}
		})
	}
}

// TestOpen: a value opens in its place only, with the keys that it was sealed with.
func TestOpen(t *testing.T) {
	t.Parallel()
	plain := []byte("the facts")
	sealed := keysOf(t, 1).Seal("name", []byte("workspace"), plain)
	changed := func(change func([]byte)) []byte {
		other := bytes.Clone(sealed)
		change(other)
		return other
	}
	for name, c := range map[string]struct {
		keys       *Keys
		name, more string
		sealed     []byte
		want       error
	}{
		"as sealed":           {keysOf(t, 1), "name", "workspace", sealed, nil},
		"before a rotation":   {keysOf(t, 1, 2), "name", "workspace", sealed, nil},
		"after a rotation":    {keysOf(t, 2, 1), "name", "workspace", sealed, nil},
		"the key is gone":     {keysOf(t, 2), "name", "workspace", sealed, ErrForeign},
		"another name":        {keysOf(t, 1), "nam", "eworkspace", sealed, ErrCorrupt},
		"another workspace":   {keysOf(t, 1), "name", "other", sealed, ErrCorrupt},
		"no bytes":            {keysOf(t, 1), "name", "workspace", nil, ErrCorrupt},
		"cut":                 {keysOf(t, 1), "name", "workspace", sealed[:len(sealed)-1], ErrCorrupt},
		"more":                {keysOf(t, 1), "name", "workspace", append(bytes.Clone(sealed), 0), ErrCorrupt},
		"the first bit":       {keysOf(t, 1), "name", "workspace", changed(func(b []byte) { b[0] ^= 1 }), ErrCorrupt},
		"the key's id":        {keysOf(t, 1), "name", "workspace", changed(func(b []byte) { b[1] ^= 1 }), ErrForeign},
		"the nonce":           {keysOf(t, 1), "name", "workspace", changed(func(b []byte) { b[6] ^= 1 }), ErrCorrupt},
		"the text":            {keysOf(t, 1), "name", "workspace", changed(func(b []byte) { b[head] ^= 1 }), ErrCorrupt},
		"the id of the other": {keysOf(t, 1, 2), "name", "workspace", changed(func(b []byte) { copy(b[1:5], keysOf(t, 2).Seal("", nil, nil)[1:5]) }), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.keys.Open(c.name, []byte(c.more), c.sealed)
			if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got, plain) {
				t.Errorf("%q, %v, want %v", got, err, c.want)
			}
		})
	}
	if bytes.Equal(sealed, keysOf(t, 1).Seal("name", []byte("workspace"), plain)) {
		t.Error("the same value is sealed to the same bytes")
	}
}

// TestKnown: what one version writes, the next must find and open.
func TestKnown(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, 7)
	if got, want := keys.Names("facts", []byte("id"))[0], "118e95d6bf1555f34bc99ba3ad06a728"; got != want {
		t.Errorf("name %s, want %s", got, want)
	}
	sealed, _ := hex.DecodeString("012f62b5209c8c3f30e4c90197fa33acddd50be9f373fa964e1102f102d64df614fe66e19749")
	if plain, err := keys.Open("name", []byte("more"), sealed); err != nil || string(plain) != "plain" {
		t.Errorf("%q, %v", plain, err)
	}
	if keys.Names("facts", []byte("id"))[0] == keys.Names("fact", []byte("sid"))[0] || keys.Names("facts", []byte("id"))[0] == keysOf(t, 8).Names("facts", []byte("id"))[0] {
		t.Error("different things have one name")
	}
}

func FuzzOpen(f *testing.F) {
	keys := keysOf(f, 1, 2)
	f.Add(keys.Seal("name", nil, []byte("value")))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := keys.Open("other", nil, sealed); err == nil {
			t.Errorf("%q opened", plain)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	keys, plain := keysOf(b, 1, 2), bytes.Repeat([]byte("x"), 400)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Open("name", nil, keys.Seal("name", nil, plain)); err != nil {
			b.Fatal(err)
		}
	}
}
