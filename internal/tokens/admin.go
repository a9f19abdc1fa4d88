package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/httpclient"
	sdklogger "github.com/databricks/databricks-sdk-go/logger"
)

// Admin tells how the gateway itself signs in to the workspace for look-ups. The
// zero value means the SDK's unified authentication: environment variables, then
// the configuration file's default profile if it is for this workspace.
type Admin struct {
	// Profile names a profile of the Databricks configuration file.
	Profile string
	// ClientID and ClientSecret are those of a service principal (OAuth M2M).
	ClientID     string
	ClientSecret func() (string, error)
	// Token is a personal access token of a workspace admin.
	Token func() (string, error)
}

// newClient builds an SDK client for the admin API. It may use the network.
func (a Admin) newClient(workspace string, timeout time.Duration, t *transport) (*client.DatabricksClient, error) {
	cfg := &config.Config{
		Host:          workspace,
		HTTPTransport: signInTransport{t},
		// No more than a last resort: the transport bounds each request by its kind.
		// Whole seconds, and 0 would mean the SDK's minute and five minutes.
		HTTPTimeoutSeconds:  wholeSeconds(max(timeout, listTimeout)),
		RetryTimeoutSeconds: wholeSeconds(max(timeout, listTimeout)),
	}
	if err := a.configure(cfg); err != nil {
		return nil, err
	}
	if err := cfg.EnsureResolved(); err != nil {
		return nil, err
	}
	clientConfig, err := config.HTTPClientConfigFromConfig(cfg)
	if err != nil {
		return nil, err
	}
	clientConfig.ErrorRetriable = func(context.Context, error) bool { return false }
	clientConfig.TransientErrors = nil
	// The resolver has a limit of its own that operators can see and set. This
	// lifts the SDK's hidden one of 15 requests a second; on the client's
	// configuration alone, because on cfg it would switch authentication off too.
	clientConfig.Transport = unlimited{t}
	return client.NewWithClient(cfg, httpclient.NewApiClient(clientConfig))
}

// The SDK's names of ways to sign in.
const (
	m2mAuthType = "oauth-m2m"
	patAuthType = "pat"
)

// unlimited marks a transport as one for which the SDK neither limits nor
// retries requests.
type unlimited struct{ *transport }

// SkipRetryOnIO is the mark that the SDK looks for.
func (unlimited) SkipRetryOnIO() bool { return true }

// configure sets the credential, and where it may come from, so that what the
// operator named is never mixed with what happens to be in the environment: a
// sidecar often shares it with the very client that it judges.
func (a Admin) configure(cfg *config.Config) error {
	var err error
	switch {
	case a.ClientID != "":
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

// typeLoader settles how to sign in where the credential leaves no doubt. Without
// it the SDK tries one way after another and swallows each failure, so that a
// workspace that is down reads as "cannot configure default credentials". A
// service principal goes before a token: in a pod, DATABRICKS_TOKEN is most often
// the application's own.
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

// noLoader loads nothing: the credential is complete.
type noLoader struct{}

func (noLoader) Name() string                   { return "admin" }
func (noLoader) Configure(*config.Config) error { return nil }

// profileLoader reads the Databricks configuration file. The SDK's own loader
// skips the file once the host is known, and does not look at whether the
// profile is for that host; sending one workspace's secret to another would be a
// leak.
type profileLoader struct{ required bool }

func (profileLoader) Name() string { return "config-file" }

func (l profileLoader) Configure(cfg *config.Config) error {
	if !l.required && hasCredential(cfg) {
		return nil
	}
	probe := &config.Config{Profile: cfg.Profile, ConfigFile: cfg.ConfigFile}
	if err := config.ConfigFile.Configure(probe); err != nil {
		return err
	}
	if probe.Profile == "" {
		if l.required {
			return fmt.Errorf("profile %q: there is no Databricks configuration file; create one with databricks configure, or name it in DATABRICKS_CONFIG_FILE", cfg.Profile)
		}
		return nil
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

// ProfileHost returns the workspace URL of a profile, or of the default profile
// for the empty name; it is empty where there is none. It reads files only.
func ProfileHost(profile string) (string, error) {
	probe := &config.Config{Profile: profile}
	if err := config.ConfigFile.Configure(probe); err != nil {
		return "", err
	}
	return probe.Host, nil
}

func sameHost(a, b string) bool {
	ua, errA := parseHost(a)
	ub, errB := parseHost(b)
	return errA == nil && errB == nil && strings.EqualFold(ua.Host, ub.Host)
}

func parseHost(host string) (*url.URL, error) {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err == nil && u.Hostname() == "" {
		err = errors.New("no host name")
	}
	return u, err
}

func wholeSeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

func init() {
	// The SDK logs to the process's standard logger, at debug level with headers
	// and bodies. What is worth saying of a look-up, the resolver's owner logs.
	sdklogger.DefaultLogger = silentLogger{}
}

type silentLogger struct{}

func (silentLogger) Enabled(context.Context, sdklogger.Level) bool { return false }
func (silentLogger) Tracef(context.Context, string, ...any)        {}
func (silentLogger) Debugf(context.Context, string, ...any)        {}
func (silentLogger) Infof(context.Context, string, ...any)         {}
func (silentLogger) Warnf(context.Context, string, ...any)         {}
func (silentLogger) Errorf(context.Context, string, ...any)        {}
