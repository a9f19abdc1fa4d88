package wire

import (
	"math"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
)

func TestParsePosition(t *testing.T) {
	for _, test := range []struct {
		name, id string
		want     Position
		ok       bool
	}{
		{"ordinary", "01JX-a_b:42", Position{"01JX-a_b", 42}, true},
		{"zero", "e:0", Position{"e", 0}, true},
		{"largest", "e:18446744073709551615", Position{"e", math.MaxUint64}, true},
		{"too large", "e:18446744073709551616", Position{}, false},
		{"empty", "", Position{}, false},
		{"no epoch", ":1", Position{}, false},
		{"no generation", "e:", Position{}, false},
		{"no colon", "e1", Position{}, false},
		{"two colons", "e:1:2", Position{}, false},
		{"leading zero", "e:01", Position{}, false},
		{"plus", "e:+1", Position{}, false},
		{"negative", "e:-1", Position{}, false},
		{"line break", "e\n:1", Position{}, false},
		{"not ASCII", "é:1", Position{}, false},
		{"longest epoch", strings.Repeat("e", maxEpoch) + ":1", Position{strings.Repeat("e", maxEpoch), 1}, true},
		{"epoch too long", strings.Repeat("e", maxEpoch+1) + ":1", Position{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := ParsePosition(test.id)
			if got != test.want || ok != test.ok {
				t.Errorf("ParsePosition(%q) = %v, %v; want %v, %v", test.id, got, ok, test.want, test.ok)
			}
		})
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, id := range []string{"e:0", "e:1:2", ":", "a-b_C:184467", "e:00"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		position, ok := ParsePosition(id)
		if ok && position.String() != id {
			t.Errorf("%q became %q", id, position)
		}
		if !ok && position != (Position{}) {
			t.Errorf("%q refused, but returned %v", id, position)
		}
	})
}

func TestWorkspace(t *testing.T) {
	for address, want := range map[string]string{
		"https://DBC-1.cloud.databricks.com/":      "https://dbc-1.cloud.databricks.com",
		"https://dbc-1.cloud.databricks.com:443":   "https://dbc-1.cloud.databricks.com",
		"https://dbc-1.cloud.databricks.com/?o=12": "https://dbc-1.cloud.databricks.com",
		"https://user:secret@host.example":         "https://host.example",
		"http://127.0.0.1:8080":                    "http://127.0.0.1:8080",
		"http://localhost:80/x":                    "http://localhost",
		"dbc-1.cloud.databricks.com":               "",
		"ftp://host":                               "",
		"https://":                                 "",
		"":                                         "",
		"%":                                        "",
	} {
		if got := Workspace(address); got != want {
			t.Errorf("Workspace(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestGenerationParts(t *testing.T) {
	generation := fleet.NewGeneration(1_800_000_000_123, 7)
	if ms, sequence := generation.Parts(); ms != 1_800_000_000_123 || sequence != 7 {
		t.Errorf("Parts() = %d, %d", ms, sequence)
	}
}
