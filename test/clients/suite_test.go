package clients_test

import (
	"cmp"
	"flag"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	install  = flag.Bool("install", false, "install the npm clients first")
	update   = flag.Bool("update", false, "write the tables in docs/clients.md")
	waitLong = flag.Bool("patient", false, "wait until clients give up, which takes minutes")
)

// silence is how long the suite waits for a client that is refused, unless -patient is set.
// Most clients wait as long as Retry-After says, which is up to 13 seconds, and not often.
const silence = 30 * time.Second

// clients are registered by the files that drive them.
var clients []Client

func register(c ...Client) { clients = append(clients, c...) }

// TestMain runs more clients at once than there are processors, because most of the time
// they wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "12"); err != nil {
		log.Fatal(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

func TestClients(t *testing.T) {
	slices.SortFunc(clients, func(a, b Client) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	page := readPage(t)
	r := startRig(t)
	var mu sync.Mutex
	results := make(map[string][]row)
	t.Run("client", func(t *testing.T) {
		for _, client := range clients {
			t.Run(slug(client.Name), func(t *testing.T) {
				t.Parallel()
				if client.Find != nil {
					if why := client.Find(t); why != "" {
						t.Skip(why)
					}
				}
				if client.Port443 && r.no443 != "" {
					t.Skipf("%s only speaks to port 443, which the gateway cannot have here: %s", client.Name, r.no443)
				}
				rows, whole := r.rows(t, client)
				if !whole {
					return // the test has failed
				}
				mu.Lock()
				defer mu.Unlock()
				results[client.Name] = rows
			})
		}
	})
	page.compare(t, results)
}
