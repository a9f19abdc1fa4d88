package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// token is the id of the token of a full source.
var token = fmt.Sprintf("%064x", 1)

// many is a source with many tokens, of which each is used as often as its number.
func many(t testing.TB, n int) *source {
	t.Helper()
	s := full(t, "analyst@example.com")
	var infos []*tokens.Info
	state := usage.State{Since: now.Add(-48 * time.Hour)}
	use := usage.Use{Operation: *operation(t, "GET", "/api/2.1/jobs/list"), First: now.Add(-24 * time.Hour), Last: now}
	for i := 1; i <= n; i++ {
		info := &tokens.Info{ID: tokenID(t, i), Owner: tokens.NewPrincipal(int64(i), fmt.Sprintf("owner-%05d@example.com", i)), Created: now.Add(-1000 * time.Hour), Expires: tokens.NeverExpires}
		infos = append(infos, info)
		use.Calls = uint64(i)
		state.Tokens = append(state.Tokens, usage.Token{ID: info.ID.String(), Calls: uint64(i), First: use.First, Last: use.Last, ActiveDays: 2, Uses: []usage.Use{use}})
	}
	s.workspaces[0].Tokens, s.workspaces[0].Usage = tokenList{infos: infos}, ledger{state}
	return s
}

var rowLink = regexp.MustCompile(`<a class="id" href="/tokens/0*([0-9a-f]+)"`)

// TestTokensPaging: a page has a hundred tokens, and links to those before and after it.
func TestTokensPaging(t *testing.T) {
	t.Parallel()
	s := many(t, 250)
	for _, test := range []struct {
		name, path     string
		first          string // id
		rows           int
		previous, next string
	}{
		{"first", "/tokens", "fa", 100, "", "?page=2"},
		{"second", "/tokens?page=2", "96", 100, "?", "?page=3"},
		{"last", "/tokens?page=3", "32", 50, "?page=2", ""},
		{"beyond the last", "/tokens?page=4000", "32", 50, "?page=2", ""},
		{"by owner", "/tokens?sort=owner", "1", 100, "", "?page=2&amp;sort=owner"},
		{"filtered", "/tokens?q=owner-0024", "f9", 10, "", ""},
		{"filtered, by owner", "/tokens?q=OWNER-002&sort=owner&page=1", "c8", 51, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := get(t, s, test.path).Body.String()
			rows := rowLink.FindAllStringSubmatch(body, -1)
			if len(rows) != test.rows || rows[0][1] != test.first {
				t.Errorf("%d rows, the first is %v", len(rows), rows[0])
			}
			for rel, href := range map[string]string{"prev": test.previous, "next": test.next} {
				if link := fmt.Sprintf(`rel="%s" href="%s"`, rel, href); strings.Contains(body, `rel="`+rel) != (href != "") || href != "" && !strings.Contains(body, link) {
					t.Errorf("it should have %s", link)
				}
			}
		})
	}
}

// TestTokensMistakes: a mistake in an address lists no tokens, so that it is noticed.
func TestTokensMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, query, says string }{
		{"sort", "sort=size", "cannot sort by"},
		{"page", "page=0", "page must be a number from 1"},
		{"word for a page", "page=two", "page must be a number from 1"},
		{"duration", "unused=soon", "unused must be a duration such as 30d"},
		{"negative duration", "expiring=-3d", "expiring must be a duration such as 30d"},
		{"flag", "unscoped=perhaps", "unscoped must be true or false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/tokens?", "/tokens.csv?"} {
				w := get(t, full(t, "analyst@example.com"), path+test.query)
				if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), test.says) {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		})
	}
}

func TestTokensCSV(t *testing.T) {
	t.Parallel()
	w := get(t, many(t, 250), "/tokens.csv?q=owner-002&sort=owner&page=7")
	records, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 52 || records[1][1] != "owner-00200@example.com" || w.Header().Get("Content-Disposition") != `attachment; filename="tokens.csv"` {
		t.Errorf("%d lines, the first is %v; %v", len(records), records[1], w.Header())
	}
}

// TestTokensHostileCSV: what others wrote is no formula, and no secret.
func TestTokensHostileCSV(t *testing.T) {
	t.Parallel()
	body := get(t, full(t, "=1+1 "+secret), "/tokens.csv").Body.String()
	if strings.Contains(body, ",=1") || strings.Contains(body, secret) || !strings.Contains(body, "'=1+1") {
		t.Errorf("got %s", body)
	}
}

// BenchmarkTokens is the time for a page of 10,000 tokens: with a report that is made for it,
// and with the one that was just made.
func BenchmarkTokens(b *testing.B) {
	s := many(b, 10_000)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			get(b, s, "/tokens")
		}
	})
	b.Run("next", func(b *testing.B) {
		pages := console.New(s, console.Options{Loopback: true})
		for b.Loop() {
			r := httptest.NewRequest(http.MethodGet, "/tokens?page=7&sort=owner", nil)
			r.Host = "localhost"
			pages.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}
