package webhook

import "net/url"

// Config is what the gateways of all Pods have in common. Its form is YAML; parseConfig
// reads and checks it.
type Config struct {
	Image           string     `yaml:"image"`
	ImagePullPolicy string     `yaml:"imagePullPolicy"`
	Workspace       string     `yaml:"workspace"`
	Mode            string     `yaml:"mode"`
	Credential      Credential `yaml:"credential"`
	ExtraArgs       []string   `yaml:"extraArgs"`
	Resources       Resources  `yaml:"resources"`
	RunAsUser       int64      `yaml:"runAsUser"`
	RunAsGroup      int64      `yaml:"runAsGroup"`
	Ports           Ports      `yaml:"ports"`
	Probes          string     `yaml:"probes"`
	Env             string     `yaml:"env"`
	AllowOverrides  Overrides  `yaml:"allowOverrides"`
	// AllowHostPaths and AllowCapabilities are what other containers may have although it
	// can reach beyond them.
	AllowHostPaths    []string `yaml:"allowHostPaths"`
	AllowCapabilities []string `yaml:"allowCapabilities"`
}

// Credential says how the gateway looks up tokens: with a Secret, or by asking
// authorities.
type Credential struct {
	Secret    *SecretCredential    `yaml:"secret"`
	Authority *AuthorityCredential `yaml:"authority"`
}

// SecretCredential is a Secret in the Pod's own namespace.
type SecretCredential struct {
	Name string `yaml:"name"`
	// ConfigFile is the key of a Databricks configuration file, which is mounted.
	ConfigFile string `yaml:"configFile"`
	// Profile is the name of one in it. The SDK reads no file without a name once the
	// workspace is known.
	Profile string `yaml:"profile"`
	// ClientID and ClientSecret are the keys of a service principal's id and secret,
	// which become environment variables.
	ClientID     string `yaml:"clientID"`
	ClientSecret string `yaml:"clientSecret"`
}

// AuthorityCredential makes the gateway an edge, let in with a projected token of the
// Pod's service account.
type AuthorityCredential struct {
	URLs              []string `yaml:"urls"`
	Audience          string   `yaml:"audience"`
	ExpirationSeconds int64    `yaml:"expirationSeconds"`
	Trust             *Trust   `yaml:"trust"`
}

// Trust is a certificate authority in a ConfigMap in the Pod's own namespace.
type Trust struct {
	ConfigMap string `yaml:"configMap"`
	Key       string `yaml:"key"`
}

// Resources are those of the gateway's container.
type Resources struct {
	Requests map[string]string `yaml:"requests" json:"requests,omitempty"`
	Limits   map[string]string `yaml:"limits" json:"limits,omitempty"`
}

// Ports are those that the gateway listens on, on 127.0.0.1.
type Ports struct {
	Proxy  int `yaml:"proxy"`
	Health int `yaml:"health"`
}

// Overrides are the values that a Pod may choose with annotations. They are lists,
// because a workspace that a Pod may name freely would get the credential.
type Overrides struct {
	Workspace []string `yaml:"workspace"`
	Mode      []string `yaml:"mode"`
	Image     []string `yaml:"image"`
}

// What Config.Env says about a DATABRICKS_HOST that a container sets itself.
const (
	envSet     = "set"     // leave it and warn
	envReplace = "replace" // replace it
	envLeave   = "leave"   // set DATABRICKS_HOST nowhere
)

// How Config.Probes asks the gateway.
const (
	probesExec = "exec" // scopegate probe, in the container
	probesHTTP = "http" // from the node; the health port is then open on the Pod's address
)

func defaults() Config {
	return Config{
		ImagePullPolicy: "IfNotPresent",
		Mode:            "enforce",
		RunAsUser:       65532,
		RunAsGroup:      65532,
		Ports:           Ports{Proxy: 8080, Health: 8081},
		Probes:          probesExec,
		Env:             envSet,
	}
}

// usesHTTPS reports whether a URL is one of https, with a host and nothing that hides
// something.
func usesHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}
