package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const (
	largeFile = 64 << 20
	// largeFileMemory is how many bytes client, gateway and workspace together may
	// allocate while such a file passes. Buffering the file takes more; a tenth of this
	// is usual, half with -race.
	largeFileMemory = largeFile / 2
)

// allocating returns how many bytes f allocates.
func allocating(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// pattern is the content of the workspace's generated files: the byte at i is
// i mod 251.
type pattern struct{ at int }

var patternTable = func() []byte {
	table := make([]byte, 251<<8)
	for i := range table {
		table[i] = byte(i % 251)
	}
	return table
}()

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, patternTable[p.at%251:])
	p.at += n
	return n, nil
}

func TestLargeUpload(t *testing.T) {
	w := harness.StartWorkspace(t, fakeworkspace.WithFileMemory(1<<20))
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	sum := sha256.New()
	_, _ = io.Copy(sum, io.LimitReader(zeros{}, largeFile))
	want := hex.EncodeToString(sum.Sum(nil))
	for _, tt := range []struct {
		name   string
		client *http.Client
		length int64
	}{
		{"http/1.1, length", harness.Client(t), largeFile},
		{"h2c, no length", harness.ClientH2C(t), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			allocated := allocating(func() {
				req := harness.NewRequest(t, "PUT", g.URL+uploadPath+"?overwrite=true", token, io.LimitReader(zeros{}, largeFile))
				req.ContentLength = tt.length
				if answer := harness.Do(t, tt.client, req); answer.StatusCode != http.StatusNoContent {
					t.Errorf("answered %d %s", answer.StatusCode, answer.Body)
				}
			})
			if file, found := w.File(uploadName); !found || file.Size != largeFile || file.SHA256 != want {
				t.Errorf("stored %+v", file)
			}
			if got := harness.OnlyArrival(t, w).ContentLength; got != tt.length {
				t.Errorf("arrived with a content length of %d", got)
			}
			if allocated > largeFileMemory {
				t.Errorf("forwarding the file allocated %d MiB", allocated>>20)
			}
		})
	}
}

func TestLargeDownload(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	w.PutLargeFile(uploadName, largeFile)
	want := sha256.New()
	_, _ = io.Copy(want, io.LimitReader(&pattern{}, largeFile))
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			client := tt.client(t)
			got := sha256.New()
			allocated := allocating(func() {
				resp, err := client.Do(harness.NewRequest(t, "GET", g.URL+uploadPath, token, nil))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.ContentLength != largeFile {
					t.Errorf("content length %d", resp.ContentLength)
				}
				if n, err := io.Copy(got, resp.Body); err != nil || n != largeFile {
					t.Errorf("%d bytes, %v", n, err)
				}
			})
			if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Error("the content differs from the file's")
			}
			if allocated > largeFileMemory {
				t.Errorf("forwarding the file allocated %d MiB", allocated>>20)
			}
		})
	}
}

func TestPartsOfFiles(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	w.PutLargeFile(uploadName, largeFile)
	for _, tt := range []struct {
		name, method, ranges string
		status               int
		length               int64
		body, contentRange   string
	}{
		{"head", "HEAD", "", 200, largeFile, "", ""},
		{"range", "GET", "bytes=252-254", 206, 3, "\x01\x02\x03", "bytes 252-254/67108864"},
		{"end", "GET", "bytes=-2", 206, 2, "\xf7\xf8", "bytes 67108862-67108863/67108864"},
		{"not satisfiable", "GET", "bytes=67108864-", 416, -2, "", "bytes */67108864"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := harness.NewRequest(t, tt.method, g.URL+uploadPath, token, nil)
			if tt.ranges != "" {
				req.Header.Set("Range", tt.ranges)
			}
			answer := harness.Do(t, harness.Client(t), req)
			if answer.StatusCode != tt.status || answer.Header.Get("Content-Range") != tt.contentRange {
				t.Errorf("answered %d, content range %q", answer.StatusCode, answer.Header.Get("Content-Range"))
			}
			if tt.length != -2 && (answer.ContentLength != tt.length || answer.Body != tt.body) {
				t.Errorf("length %d, body %q", answer.ContentLength, answer.Body)
			}
		})
	}
}

// Workspace objects are uploaded as multipart forms.
func TestMultipartImport(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	content := strings.Repeat("print('scopegate')\n", 100_000)

	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for name, value := range map[string]string{"path": "/Shared/notebook", "format": "SOURCE", "language": "PYTHON"} {
		if err := parts.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := parts.CreateFormFile("content", "notebook.py")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, content)
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	client := harness.Client(t)
	answer := harness.Do(t, client, harness.NewRequest(t, "POST", g.URL+"/api/2.0/workspace/import", token, &form,
		"Content-Type", parts.FormDataContentType()))
	if answer.StatusCode != 200 {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
	}
	answer = harness.Do(t, client, harness.NewRequest(t, "GET", g.URL+"/api/2.0/workspace/export?path=/Shared/notebook&direct_download=true", token, nil))
	if answer.StatusCode != 200 || answer.Body != content {
		t.Errorf("exported %d, %d bytes", answer.StatusCode, len(answer.Body))
	}
}
