package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// soups are what looks most like a secret, or like an encoding of one, for its length.
var soups = map[string]string{
	"tokens": "dapiaaaaaaaaaaaaaaaa/", "prefixes": "dapi", "percent": "%25", "percent of a token": "%64%61%70%69", "percent twice": "%2564",
	"base64": "ZGFwaTAxMjM0NTY3ODlhYmNkZWYw", "base64 in base64": "VVVV", "hexadecimal": "5655", "printable": "=3D", "Basic": "basic+", "Bearer": "bearer+",
}

const honestPath = "main/sales/landing/year/part-00000-9a1b2c3d.snappy.parquet/"

// costRig sends requests over one connection, and tells what they cost.
type costRig struct {
	t          testing.TB
	listen     string
	connection net.Conn
	answers    *bufio.Reader
}

func startCostRig(t testing.TB) *costRig {
	workspace := harness.StartWorkspace(t)
	listen := harness.FreeAddress(t)
	folder := harness.TempDir(t)
	config, err := harness.Adapt(fmt.Sprintf("{\nadmin off\nauto_https off\npersist_config off\nservers {\nmax_header_size 2MB\n}\nlog default {\noutput discard\n}\n}\nhttp://%s {\ndatabricks_gateway %s {\n%s\naudit {\noutput file %s/audit.log\n}\n}\n}\n",
		listen, workspace.URL(), harness.AdminBlock, folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Stop(t) })
	connection, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return &costRig{t, listen, connection, bufio.NewReader(connection)}
}

// send sends a request without a credential, and reads the refusal.
func (r *costRig) send(request string) {
	r.t.Helper()
	if _, err := io.WriteString(r.connection, strings.Replace(request, "Host: x", "Host: "+r.listen, 1)); err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.ReadResponse(r.answers, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode < 400 || answer.StatusCode == http.StatusMisdirectedRequest {
		r.t.Fatal(answer.StatusCode, err)
	}
}

// cpu returns the least CPU time that a request took, of several rounds: other programs
// only add to it.
func (r *costRig) cpu(request string) time.Duration {
	const rounds, requests = 5, 6
	least := time.Hour
	for range rounds {
		before := processTime(r.t)
		for range requests {
			r.send(request)
		}
		least = min(least, (processTime(r.t)-before)/requests)
	}
	return least
}

func processTime(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func long(part string, size int) string { return strings.Repeat(part, size/len(part)+1)[:size] }

// places are where a client can put a long text.
var places = map[string]func(text string) string{
	"path": func(text string) string {
		return "GET /api/2.0/fs/files/" + strings.TrimRight(text, "%=") + " HTTP/1.1\r\nHost: x\r\n\r\n"
	},
	"query": func(text string) string {
		return "GET /api/2.2/jobs/list?q=" + text + " HTTP/1.1\r\nHost: x\r\n\r\n"
	},
	"user agent": func(text string) string {
		return "GET /api/2.2/jobs/list HTTP/1.1\r\nHost: x\r\nUser-Agent: " + text + "\r\n\r\n"
	},
	"credential": func(text string) string {
		return "GET /api/2.2/jobs/list HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + text + "\r\n\r\n"
	},
}

// TestHostileCosts: a request full of what may be a secret takes no more than a few times
// the CPU of an honest one of the same length, client included. BenchmarkHostile measures
// how many; what this test must notice is work that grows with the square of the length.
func TestHostileCosts(t *testing.T) {
	const most = 5
	r := startCostRig(t)
	for place, request := range places {
		for _, size := range []int{16 << 10, 400 << 10} {
			honest := r.cpu(request(long(honestPath, size)))
			for name, part := range soups {
				// The scheduler may add to one of both.
				hostile := r.cpu(request(long(part, size)))
				for attempt := 0; hostile > most*honest && attempt < 3; attempt++ {
					honest, hostile = max(honest, r.cpu(request(long(honestPath, size)))), min(hostile, r.cpu(request(long(part, size))))
				}
				if hostile > most*honest {
					t.Errorf("%s, %d bytes in the %s: %v, and %v for an honest one", name, size, place, hostile, honest)
				}
			}
		}
	}
}

// BenchmarkHostile shows the ratio of what a hostile request costs to an honest one of the
// same length.
func BenchmarkHostile(b *testing.B) {
	r := startCostRig(b)
	for place, request := range places {
		for _, size := range []int{16 << 10, 64 << 10, 400 << 10} {
			honest := r.cpu(request(long(honestPath, size)))
			for name, part := range soups {
				b.Run(fmt.Sprintf("%s/%dk/%s", place, size>>10, name), func(b *testing.B) {
					var hostile time.Duration
					for b.Loop() {
						hostile = r.cpu(request(long(part, size)))
					}
					b.ReportMetric(float64(hostile)/float64(honest), "ratio")
				})
			}
		}
	}
}
