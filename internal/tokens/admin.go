package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	sdklogger "github.com/databricks/databricks-sdk-go/logger"
)

// Admin is the credential with which the gateway itself signs in to the workspace
// for look-ups. Set one of Profile, ClientID and Token. The zero value means the
// SDK's unified authentication: environment variables, then the default profile of
// the configuration file if it is for this workspace.
type Admin struct {
	// Profile names a profile of the Databricks configuration file.
	Profile string
	// ClientID and ClientSecret belong to a service principal (OAuth M2M).
	ClientID     string
	ClientSecret func() (string, error)
	// Token is a personal access token of a workspace admin.
	Token func() (string, error)
}

// Check reports a profile that cannot be used for a workspace. It uses no network.
func (a Admin) Check(workspace string) error {
	if a.Profile == "" {
		return nil
	}
	cfg := &config.Config{Host: workspace, Profile: a.Profile}
	if err := (profileLoader{required: true}).Configure(cfg); err != nil {
		return err
	}
	if !hasCredential(cfg) && cfg.AuthType == "" {
		return fmt.Errorf("profile %q has no credential; sign in with databricks auth login, or add client_id and client_secret, or token", a.Profile)
	}
	return nil
}

// newClient builds an SDK client for the workspace's admin APIs. It may use the
// network.
func (a Admin) newClient(workspace string, timeout time.Duration, t *Transport) (*client.DatabricksClient, error) {
	cfg := &config.Config{
		Host:          workspace,
		HTTPTransport: signInTransport{t, !strings.HasPrefix(strings.ToLower(workspace), "http://")},
		// A last resort: the transport already bounds each request. In whole seconds; 0
		// would mean the SDK's defaults of one and five minutes.
		HTTPTimeoutSeconds:  wholeSeconds(max(timeout, listTimeout)),
		RetryTimeoutSeconds: wholeSeconds(max(timeout, listTimeout)),
	}
	if err := a.configure(cfg); err != nil {
		return nil, err
	}
	if err := cfg.EnsureResolved(); err != nil {
		return nil, err
	}
	if err := checkCredential(cfg); err != nil {
		return nil, err
	}
	clientConfig, err := config.HTTPClientConfigFromConfig(cfg)
	if err != nil {
		return nil, err
	}
	clientConfig.ErrorRetriable = func(context.Context, error) bool { return false }
	clientConfig.TransientErrors = nil
	// Lift the SDK's hidden limit of 15 requests a second; the resolver has its own,
	// which operators can see and set. Only on the client's configuration, because on
	// cfg it would disable authentication too.
	clientConfig.Transport = unlimited{t}
	return client.NewWithClient(cfg, httpclient.NewApiClient(clientConfig))
}

// The SDK's names of authentication types.
const (
	m2mAuthType = "oauth-m2m"
	patAuthType = "pat"
)

// unlimited marks a transport whose requests the SDK neither limits nor retries.
type unlimited struct{ *Transport }

// SkipRetryOnIO is the method that the SDK looks for.
func (unlimited) SkipRetryOnIO() bool { return true }

// configure sets the credential and the sources it may come from. What the operator
// named is never mixed with what happens to be in the environment, which a sidecar
// often shares with the very client that it polices.
func (a Admin) configure(cfg *config.Config) error {
	var err error
	switch {
	case a.ClientSecret != nil && a.ClientID == "":
		// Not the environment's credential in place of the one that was meant.
		err = errors.New("the client id is empty")
	case a.ClientSecret != nil:
		cfg.AuthType = m2mAuthType
		cfg.Loaders = []config.Loader{noLoader{}}
		cfg.ClientID = a.ClientID
		cfg.ClientSecret, err = a.ClientSecret()
	case a.Token != nil:
		cfg.AuthType = patAuthType
		cfg.Loaders = []config.Loader{noLoader{}}
		cfg.Token, err = a.Token()
	case a.Profile != "":
		cfg.Profile = a.Profile
		cfg.Loaders = []config.Loader{profileLoader{required: true}, typeLoader{}}
	default:
		cfg.Loaders = []config.Loader{config.ConfigAttributes, profileLoader{}, typeLoader{}}
	}
	return err
}

// typeLoader sets the authentication type if the credential determines it. Without
// it the SDK tries one type after another and swallows each failure, so that a
// workspace that is down is reported as "cannot configure default credentials". A
// service principal wins over a token: in a pod, DATABRICKS_TOKEN is most often the
// application's own.
type typeLoader struct{}

func (typeLoader) Name() string { return "auth-type" }

func (typeLoader) Configure(cfg *config.Config) error {
	switch {
	case cfg.AuthType != "":
	case cfg.ClientID != "" && cfg.ClientSecret != "":
		cfg.AuthType = m2mAuthType
	case cfg.Token != "":
		cfg.AuthType = patAuthType
	}
	return nil
}

// noLoader loads nothing, for a credential that is complete.
type noLoader struct{}

func (noLoader) Name() string                   { return "admin" }
func (noLoader) Configure(*config.Config) error { return nil }

// profileLoader reads the Databricks configuration file. The SDK's own loader skips
// the file once the host is known, and does not check that the profile is for that
// host: it could send one workspace's secret to another.
type profileLoader struct{ required bool }

func (profileLoader) Name() string { return "config-file" }

func (l profileLoader) Configure(cfg *config.Config) error {
	if !l.required && hasCredential(cfg) {
		return nil
	}
	cfg.ConfigFile = configFile(cfg.ConfigFile)
	if _, err := config.LoadFile(cfg.ConfigFile); l.required && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("profile %q: there is no Databricks configuration file; create one with databricks configure, or name it in DATABRICKS_CONFIG_FILE", cfg.Profile)
	}
	probe := &config.Config{Profile: cfg.Profile, ConfigFile: cfg.ConfigFile}
	if err := config.ConfigFile.Configure(probe); err != nil {
		return err
	}
	if probe.Profile == "" {
		return nil
	}
	if probe.Host == "" && l.required {
		return fmt.Errorf("profile %q has no host; add host = %s", probe.Profile, cfg.Host)
	}
	if !sameHost(probe.Host, cfg.Host) {
		if l.required || cfg.Profile != "" {
			return fmt.Errorf("profile %q is for %s, but the workspace is %s; name a profile of that workspace", probe.Profile, probe.Host, cfg.Host)
		}
		return nil
	}
	cfg.Profile = probe.Profile
	return config.ConfigFile.Configure(cfg)
}

func hasCredential(cfg *config.Config) bool {
	for _, attribute := range config.ConfigAttributes {
		if attribute.HasAuthAttribute() && !attribute.IsZero(cfg) {
			return true
		}
	}
	return false
}

// ProfileHost returns the workspace URL of a profile, or of the default profile if
// the name is empty. It returns "" if there is none. It reads files only.
func ProfileHost(profile string) (string, error) {
	probe := &config.Config{Profile: profile, ConfigFile: configFile("")}
	if err := config.ConfigFile.Configure(probe); err != nil {
		return "", err
	}
	return probe.Host, nil
}

// configFile returns the path of the configuration file, empty for the usual one. The
// SDK reads the variable only together with all others, which may be meant for the
// gateway's clients.
func configFile(path string) string { return cmp.Or(path, os.Getenv("DATABRICKS_CONFIG_FILE")) }

func sameHost(a, b string) bool {
	ua, errA := ParseWorkspaceURL(a)
	ub, errB := ParseWorkspaceURL(b)
	return errA == nil && errB == nil && strings.EqualFold(ua.Host, ub.Host)
}

// ParseWorkspaceURL parses the URL of a workspace. A URL without a scheme means https.
func ParseWorkspaceURL(workspace string) (*url.URL, error) {
	if !strings.Contains(workspace, "://") {
		workspace = "https://" + workspace
	}
	u, err := url.Parse(workspace)
	if err == nil && u.Hostname() == "" {
		err = errors.New("no host name")
	}
	return u, err
}

func wholeSeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

func init() {
	// The SDK logs to the process's standard logger, at debug level with headers and
	// bodies. What is worth logging of a look-up, the resolver's owner logs.
	sdklogger.DefaultLogger = silentLogger{}
}

type silentLogger struct{}

func (silentLogger) Enabled(context.Context, sdklogger.Level) bool { return false }
func (silentLogger) Tracef(context.Context, string, ...any)        {}
func (silentLogger) Debugf(context.Context, string, ...any)        {}
func (silentLogger) Infof(context.Context, string, ...any)         {}
func (silentLogger) Warnf(context.Context, string, ...any)         {}
func (silentLogger) Errorf(context.Context, string, ...any)        {}
