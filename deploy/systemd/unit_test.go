package systemd

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unit has the values of each directive, in order.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u, section := unit{}, ""
	for line := range strings.Lines(readFile(t, name)) {
		line = strings.TrimSpace(line)
		switch key, value, found := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		case !found || section == "":
			t.Fatalf("%s: %q is no directive", name, line)
		default:
			u[section+"."+key] = append(u[section+"."+key], value)
		}
	}
	return u
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// one returns the value of a directive that must be there once.
func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("%s is there %d times: %q", key, len(u[key]), u[key])
	}
	return u[key][0]
}

// TestService: what the gateway and its safety depend on.
func TestService(t *testing.T) {
	u := readUnit(t, "scopegate.service")
	for key, want := range map[string]string{
		"Service.Type":                    "notify",
		"Service.User":                    "scopegate",
		"Service.Group":                   "scopegate",
		"Service.EnvironmentFile":         "-/etc/default/scopegate",
		"Service.ExecStartPre":            "/usr/bin/scopegate validate --config /etc/scopegate/Caddyfile",
		"Service.ExecStart":               "/usr/bin/scopegate run --config /etc/scopegate/Caddyfile",
		"Service.ExecStartPost":           "/usr/bin/scopegate probe --live",
		"Service.ExecReload":              "/usr/bin/scopegate reload --config /etc/scopegate/Caddyfile --force",
		"Service.Restart":                 "on-failure",
		"Service.KillMode":                "mixed",
		"Service.LimitNOFILE":             "1048576",
		"Service.LimitCORE":               "0", // a core has secrets
		"Service.ConfigurationDirectory":  "scopegate",
		"Service.StateDirectory":          "scopegate",
		"Service.StateDirectoryMode":      "0700",
		"Service.RuntimeDirectory":        "scopegate",
		"Service.RuntimeDirectoryMode":    "0700",
		"Service.LogsDirectory":           "scopegate",
		"Service.UMask":                   "0077",
		"Service.NoNewPrivileges":         "true",
		"Service.CapabilityBoundingSet":   "",
		"Service.AmbientCapabilities":     "",
		"Service.PrivateUsers":            "true",
		"Service.PrivateTmp":              "true",
		"Service.PrivateDevices":          "true",
		"Service.ProtectSystem":           "strict",
		"Service.ProtectHome":             "true",
		"Service.ProtectProc":             "invisible",
		"Service.MemoryDenyWriteExecute":  "true",
		"Service.RestrictNamespaces":      "true",
		"Service.RestrictSUIDSGID":        "true",
		"Service.RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK",
		"Service.SystemCallArchitectures": "native",
		"Install.WantedBy":                "multi-user.target",
	} {
		if got := u[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := u["Service.SystemCallFilter"]; !slices.Equal(got, []string{"@system-service", "~@privileged @resources", "chown fchown fchownat"}) {
		t.Errorf("SystemCallFilter: %q", got)
	}
	// docs/reference.md: a warning of 3 s, a grace of 10 s, and 8 s to save.
	stop, err := time.ParseDuration(u.one(t, "Service.TimeoutStopSec"))
	if err != nil || stop < 21*time.Second+5*time.Second {
		t.Errorf("TimeoutStopSec: %v, %v", stop, err)
	}
	for _, directive := range []string{"Service.Environment", "Service.ExecStart", "Service.LoadCredential", "Service.SetCredential"} {
		for _, value := range u[directive] {
			if strings.Contains(strings.ToLower(value), "secret=") || directive == "Service.SetCredential" {
				t.Errorf("%s may hold a secret: everybody can read it: %s", directive, value)
			}
		}
	}
}

// TestPathsAgree: the Caddyfile uses the folders and the credentials that the unit makes.
func TestPathsAgree(t *testing.T) {
	u, file := readUnit(t, "scopegate.service"), readFile(t, "Caddyfile")
	for _, want := range []string{
		"admin unix//run/" + u.one(t, "Service.RuntimeDirectory") + "/admin.sock|0600\n",
		"output file /var/log/" + u.one(t, "Service.LogsDirectory") + "/audit.jsonl\n",
	} {
		if strings.Count(file, want) != 1 {
			t.Errorf("the Caddyfile lacks %q", want)
		}
	}
	// The default address of scopegate probe, which ExecStartPost uses.
	if !strings.Contains(file, "http://:8081 {\n\tbind 127.0.0.1\n\tdatabricks_scopes_health\n") {
		t.Error("the Caddyfile does not answer on 127.0.0.1:8081, where ExecStartPost asks")
	}
	var named []string
	for _, found := range regexp.MustCompile(`\{file\.\{\$CREDENTIALS_DIRECTORY:/run/credentials/scopegate\.service\}/(\w+)\}`).FindAllStringSubmatch(file, -1) {
		named = append(named, found[1]+":/etc/scopegate/credentials/"+found[1])
	}
	if loaded := u["Service.LoadCredential"]; len(loaded) != 2 || !slices.Equal(named, loaded) {
		t.Errorf("the unit loads %q, the Caddyfile uses %q", loaded, named)
	}
	asserted := strings.Join(u["Unit.AssertPathExists"], "\n") + "\n"
	for _, loaded := range u["Service.LoadCredential"] {
		if _, path, _ := strings.Cut(loaded, ":"); !strings.Contains(asserted, path+"\n") {
			t.Errorf("if %s is missing, nothing says so", path)
		}
	}
	for _, home := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if !strings.Contains(u.one(t, "Service.Environment"), home+"=/var/lib/"+u.one(t, "Service.StateDirectory")) {
			t.Errorf("%s is not in the state directory", home)
		}
	}
}

// TestSocketAgrees: the socket is where the Caddyfile listens.
func TestSocketAgrees(t *testing.T) {
	u, file := readUnit(t, "scopegate.socket"), readFile(t, "Caddyfile")
	host, port, _ := strings.Cut(u.one(t, "Socket.ListenStream"), ":")
	if !strings.Contains(file, "http://:"+port+" {") || !strings.Contains(file, "bind "+host+"\n") {
		t.Errorf("the Caddyfile does not listen on %s:%s", host, port)
	}
	if !strings.Contains(file, "bind fd/3") {
		t.Error("the Caddyfile does not say how to use the socket")
	}
}
