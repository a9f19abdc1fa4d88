package lifecycle

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/testing/race"
)

// getURL is a client in Go. Like those below it prints the status of the answer for each URL.
func getURL() {
	for _, url := range os.Args[1:] {
		answer, err := http.Get(url)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}

const javaClient = `import java.net.*;
public class Client {
	public static void main(String[] urls) throws Exception {
		for (String url : urls) System.out.println(((HttpURLConnection) new URL(url).openConnection()).getResponseCode());
	}
}
`

const pythonClient = `import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
	try: print(urllib.request.urlopen(url).status)
	except urllib.error.HTTPError as e: print(e.code)
try: import requests
except ImportError: sys.exit()
for url in sys.argv[1:]: print(requests.get(url).status_code)
`

const nodeClient = `(async () => { for (const url of process.argv.slice(1)) console.log((await fetch(url)).status) })()`

// TestTrust: what a sidecar says of how to trust it works as it is printed, in the languages that
// are installed here, under a name and an address; and without it nothing does.
func TestTrust(t *testing.T) {
	t.Parallel()
	if race.Enabled {
		t.Skip("other programs have no races of ours")
	}
	r := newRig(t)
	folder := filepath.Join(t.TempDir(), "it's a folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	java := filepath.Join(folder, "Client.java")
	python := filepath.Join(folder, "client.py")
	for name, content := range map[string]string{java: javaClient, python: pythonClient} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := processtest.FreeAddress(t)
	_, port := split(address)
	_, said := r.startTLS(t, address, "https://localhost:"+port, "--ca-file", filepath.Join(folder, "ca.crt"))
	urls := fmt.Sprintf(" https://localhost:%s/x https://127.0.0.1:%s/x", port, port)
	for _, test := range []struct{ program, hint, client string }{
		{"node", said.Node, "node -e '" + nodeClient + "'"},
		{"python3", said.Python, `python3 "` + python + `"`},
		{"java", said.Java, `java "` + java + `"`},
		{"go-client", said.Go, "go-client"},
		{"curl", said.Curl, ` -sS -o /dev/null -o /dev/null -w '%{http_code}\n'`},
	} {
		t.Run(test.program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(test.program); err != nil {
				t.Skip(err)
			}
			run := func(script string) (string, error) {
				command := exec.Command("sh", "-c", script+urls)
				command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
					name, _, _ := strings.Cut(variable, "=")
					return slices.Contains([]string{"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS"}, name)
				})
				if test.program == "java" {
					command.Env = append(command.Env, "HOME="+t.TempDir()) // where it puts the trust store
				}
				output, err := command.CombinedOutput()
				return string(output), err
			}
			separator := "\n"
			if test.program == "curl" {
				separator = "" // its hint is an option
			}
			output, err := run(test.hint + separator + test.client)
			if err != nil || strings.Count(output, "401\n") < 2 || strings.Count(output, "401\n")%2 > 0 {
				t.Errorf("%s: %v\n%s", test.hint, err, output)
			}
			if test.program == "java" {
				return // it takes long
			}
			if output, err := run(strings.Repeat("curl", 1-len(separator)) + test.client); err == nil || strings.Contains(output, "401\n") {
				t.Errorf("without: %v\n%s", err, output)
			}
		})
	}
}
