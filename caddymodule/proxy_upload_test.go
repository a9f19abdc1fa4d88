package caddymodule

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
)

const (
	largeFile = 256 << 20
	// largeFileMemory is what may be allocated while such a file passes, by client,
	// gateway and workspace together, freed or not. Whoever holds the file takes
	// more; what is usual is a tenth of this, and half of it with -race.
	largeFileMemory = largeFile / 2
)

// allocating tells how many bytes f allocates.
func allocating(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// pattern is the content of the workspace's made-up files: the byte at i is
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

func TestProxyLargeUpload(t *testing.T) {
	w := startWorkspace(t, fakeworkspace.WithFileMemory(1<<20))
	h := startGateway(t, w, "")
	token := legacyToken(w)
	sum := sha256.New()
	_, _ = io.Copy(sum, io.LimitReader(zeros{}, largeFile))
	want := hex.EncodeToString(sum.Sum(nil))
	for _, tt := range []struct {
		name   string
		client *http.Client
		length int64
	}{
		{"http/1.1, length", proxyClient(t), largeFile},
		{"h2c, no length", proxyClientH2C(t), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			allocated := allocating(func() {
				req := proxyRequest(t, "PUT", h.url+uploadPath+"?overwrite=true", token, io.LimitReader(zeros{}, largeFile))
				req.ContentLength = tt.length
				if answer := proxyDo(t, tt.client, req); answer.StatusCode != http.StatusNoContent {
					t.Errorf("answered %d %s", answer.StatusCode, answer.body)
				}
			})
			if file, found := w.File(uploadName); !found || file.Size != largeFile || file.SHA256 != want {
				t.Errorf("stored %+v", file)
			}
			if got := onlyArrival(t, w).ContentLength; got != tt.length {
				t.Errorf("arrived with a content length of %d", got)
			}
			if allocated > largeFileMemory {
				t.Errorf("%d MiB allocated for a file that passes", allocated>>20)
			}
		})
	}
}

func TestProxyLargeDownload(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := legacyToken(w)
	w.PutLargeFile(uploadName, largeFile)
	want := sha256.New()
	_, _ = io.Copy(want, io.LimitReader(&pattern{}, largeFile))
	for _, tt := range proxyProtocols {
		t.Run(tt.name, func(t *testing.T) {
			client := tt.client(t)
			got := sha256.New()
			allocated := allocating(func() {
				resp, err := client.Do(proxyRequest(t, "GET", h.url+uploadPath, token, nil))
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
				t.Error("the content is not the file's")
			}
			if allocated > largeFileMemory {
				t.Errorf("%d MiB allocated for a file that passes", allocated>>20)
			}
		})
	}
}

func TestProxyPartsOfFiles(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := legacyToken(w)
	w.PutLargeFile(uploadName, largeFile)
	for _, tt := range []struct {
		name, method, ranges string
		status               int
		length               int64
		body, contentRange   string
	}{
		{"head", "HEAD", "", 200, largeFile, "", ""},
		{"range", "GET", "bytes=252-254", 206, 3, "\x01\x02\x03", "bytes 252-254/268435456"},
		{"end", "GET", "bytes=-2", 206, 2, "\xf1\xf2", "bytes 268435454-268435455/268435456"},
		{"not satisfiable", "GET", "bytes=268435456-", 416, -2, "", "bytes */268435456"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := proxyRequest(t, tt.method, h.url+uploadPath, token, nil)
			if tt.ranges != "" {
				req.Header.Set("Range", tt.ranges)
			}
			answer := proxyDo(t, proxyClient(t), req)
			if answer.StatusCode != tt.status || answer.Header.Get("Content-Range") != tt.contentRange {
				t.Errorf("answered %d, content range %q", answer.StatusCode, answer.Header.Get("Content-Range"))
			}
			if tt.length != -2 && (answer.ContentLength != tt.length || answer.body != tt.body) {
				t.Errorf("length %d, body %q", answer.ContentLength, answer.body)
			}
		})
	}
}

// Workspace objects are imported as forms.
func TestProxyMultipartImport(t *testing.T) {
	w := startWorkspace(t)
	h := startGateway(t, w, "")
	token := legacyToken(w)
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
	client := proxyClient(t)
	answer := proxyDo(t, client, proxyRequest(t, "POST", h.url+"/api/2.0/workspace/import", token, &form,
		"Content-Type", parts.FormDataContentType()))
	if answer.StatusCode != 200 {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.body)
	}
	answer = proxyDo(t, client, proxyRequest(t, "GET", h.url+"/api/2.0/workspace/export?path=/Shared/notebook&direct_download=true", token, nil))
	if answer.StatusCode != 200 || answer.body != content {
		t.Errorf("exported %d, %d bytes", answer.StatusCode, len(answer.body))
	}
}
