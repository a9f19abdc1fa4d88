package webhook

import (
	"strings"
	"testing"
)

const (
	first = "image: scopegate/scopegate:1\nworkspace: https://example.cloud.databricks.com\n" // lines 1 and 2
	third = "credential: {secret: {name: admin, configFile: databrickscfg}}\n"
	valid = first + third
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	config, err := parseConfig([]byte(strings.Replace(valid, "https://", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if config.Workspace != "https://example.cloud.databricks.com" || config.Mode != "enforce" || config.RunAsUser != 65532 || config.Ports != (Ports{8080, 8081}) || config.Env != envSet {
		t.Errorf("%+v", config)
	}
}

// TestParseConfigErrors: each says in which line what is wrong.
func TestParseConfigErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ config, says string }{
		{"", "the configuration is empty"},
		{"- a", "line 1: the configuration must be a mapping"},
		{"image: [", "line 1"},
		{valid + "---\n{}\n", "one YAML document"},
		{valid + "image: b\n", "line 4: mapping key \"image\" already defined at line 1"},
		{valid + "extraargs: []\n", `line 4: unknown field "extraargs"; did you mean extraArgs?`},
		{valid + "ports: {proxi: 1}\n", `line 4: unknown field "proxi"; did you mean proxy?`},
		{valid + "ports: many\n", "line 4: expected a mapping, found text `many`"},
		{valid + "runAsUser: me\n", "line 4: expected a number, found text `me`"},
		{valid + "runAsUser: 0\n", "line 4: runAsUser must be a user other than root"},
		{valid + "runAsGroup: 0\n", "line 4: runAsGroup must be"},
		{strings.TrimPrefix(valid, "image: scopegate/scopegate:1\n"), "line 1: image is missing"},
		{"image: a b\n" + valid[strings.Index(valid, "\n")+1:], `line 1: "a b" is not the name of an image`},
		{"image: a\n" + third, "workspace is missing"},
		{"image: a\nworkspace: ftp://x\n" + third, "line 2: workspace ftp://x: the scheme must be https"},
		{"image: a\nworkspace: http://example.cloud.databricks.com\n" + third, "line 2: "},
		{valid + "mode: off\n", `line 4: mode must be enforce or observe, not "off"`},
		{valid + "allowOverrides:\n  mode:\n    - none\n", "line 6: mode must be"},
		{valid + "allowOverrides: {workspace: ['https://<name>.cloud.databricks.com']}\n", "line 4: workspace <name> is not a URL"},
		{first, "credential needs secret"},
		{first + "credential: {secret: {name: a, configFile: b}, authority: {}}\n", "line 3: credential has secret and authority"},
		{first + "credential:\n  secret:\n    name: A_B\n    configFile: b\n", "line 5: credential.secret.name"},
		{first + "credential: {secret: {name: a}}\n", "line 3: credential.secret needs the key"},
		{first + "credential: {secret: {name: a, clientID: b}}\n", "line 3: credential.secret needs the key"},
		{first + "credential: {secret: {name: a, clientID: b, clientSecret: c, configFile: d}}\n", "keep one of the two ways"},
		{first + "credential: {secret: {name: a, clientID: b, clientSecret: c, profile: d}}\n", "line 3: credential.secret.profile goes with configFile"},
		{first + "credential: {secret: {name: a, configFile: b, profile: a b}}\n", "line 3: credential.secret.profile must be the name"},
		{first + "credential: {secret: {name: a, configFile: ../b}}\n", "credential.secret.configFile must be a key"},
		{first + "credential: {authority: {audience: a}}\n", "credential.authority.urls is missing"},
		{first + "credential: {authority: {urls: ['http://a'], audience: a}}\n", "must be https://"},
		{first + "credential: {authority: {urls: ['https://a:1']}}\n", "audience is missing"},
		{first + "credential: {authority: {urls: ['https://a:1'], audience: a, expirationSeconds: 60}}\n", "at least 600"},
		{first + "credential: {authority: {urls: ['https://a:1'], audience: a, trust: {key: a}}}\n", "trust needs configMap and key"},
		{valid + "extraArgs: [observe]\n", "line 4: each of extraArgs must be --flag"},
		{valid + "extraArgs: [-w, x]\n", "must be --flag"},
		{valid + "extraArgs: [--mode=observe]\n", "line 4: extraArgs must not have --mode"},
		{valid + "extraArgs: [--admin, ':2019']\n", "extraArgs must not have --admin"},
		{valid + "resources:\n  limits:\n    memory: lots\n", "line 6: resources.limits.memory must be a quantity"},
		{valid + "ports: {proxy: 80}\n", "line 4: ports.proxy must be from 1024"},
		{valid + "ports: {proxy: 8081}\n", "must differ"},
		{valid + "env: never\n", `line 4: env must be one of set, replace, leave, not "never"`},
		{valid + "probes: tcp\n", "probes must be one of exec, http"},
		{valid + "imagePullPolicy: never\n", "imagePullPolicy must be one of"},
		{valid + "allowHostPaths: [data]\n", "line 4: each of allowHostPaths must be an absolute path"},
		{valid + "allowHostPaths: [/var/log/../lib]\n", "must be an absolute path without .."},
		{valid + "allowHostPaths: [/var/lib/]\n", "allowHostPaths must not have /var/lib/"},
		{valid + "allowHostPaths: [/]\n", "allowHostPaths must not have /:"},
		{valid + "allowHostPaths: [/proc/1]\n", "in /proc"},
		{valid + "allowCapabilities: [ALL]\n", "line 4: each of allowCapabilities must be the name of one capability"},
	} {
		config, err := parseConfig([]byte(c.config))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "webhook.") {
			t.Errorf("%q:\n got %v %+v\nwant %s", c.config, err, config, c.says)
		}
	}
}
