package localca

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddypki"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/caddyserver/caddy/v2/modules/filestorage"
	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/internal/trustedpath"
)

const (
	// caName begins the names of the certificates of every authority of ours.
	caName = "scopegate local authority"

	// lockName is that of the lock of the authority's folder.
	lockName = "scopegate_authority"

	// lockPatience bounds how long a process waits for another one to start. A lock that a
	// killed process left is taken after ten seconds.
	lockPatience = 30 * time.Second
)

// Folder returns the folder of this user for the authority and its root certificate: scopegate
// in $XDG_DATA_HOME, or where the system keeps such data.
func Folder() (string, error) {
	data := filepath.Dir(caddy.AppDataDir())
	if !filepath.IsAbs(data) {
		variable := "XDG_DATA_HOME"
		if runtime.GOOS == "windows" {
			variable = "AppData"
		}
		return "", fmt.Errorf("there is no folder to keep a certificate authority in: set %s to the absolute path of one that only this user can write to", variable)
	}
	return filepath.Join(data, "scopegate"), nil
}

// Authority is a certificate authority that is ready to sign.
type Authority struct {
	// Root is its root certificate.
	Root *x509.Certificate
	// Replaced says why it has another root than before, nil if it has not.
	Replaced error

	storage string
	times   times
}

// times are how long certificates are valid, and how often Caddy looks whether they expire. 0
// means Caddy's defaults: 12 hours for a gateway's certificate, 7 days for an intermediate one,
// and 10 minutes. Tests are faster. With less than the ratio of their time left, certificates are
// renewed; 0 means Caddy's 1/3 for a gateway's, 1/5 for an intermediate one.
type times struct {
	leaf, leafCheck, intermediate, intermediateCheck time.Duration
	ratio                                            float64
}

// Open returns the authority in a folder, and creates what is missing or cannot be used any
// more. Processes that share the folder have the same root.
func Open(ctx context.Context, folder string, logging *caddy.Logging) (*Authority, error) {
	return open(ctx, folder, logging, times{})
}

func open(ctx context.Context, folder string, logging *caddy.Logging, times times) (*Authority, error) {
	// MkdirAll would follow the links of others.
	if _, err := trustedpath.Resolve(folder); err != nil {
		return nil, storageError(folder, err)
	}
	// Caddy makes folders that only this user can open. Others have to read the file of the
	// root certificate, which is in this one.
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // see above
		return nil, storageError(folder, err)
	}
	a := &Authority{storage: filepath.Join(folder, "authority"), times: times}
	if err := checkOwners(a.storage); err != nil {
		return nil, storageError(folder, err)
	}
	storage := &certmagic.FileStorage{Path: a.storage}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if err := storage.Lock(ctx, lockName); err != nil {
		return nil, storageError(a.storage, err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), lockName) }() // it goes stale
	err := a.repair(ctx, storage)
	if err != nil {
		return nil, storageError(a.storage, err)
	}
	// Caddy creates what is missing when it provisions the authority. It takes no lock for that.
	keep := false
	config := &caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &keep}},
		Logging: logging,
		AppsRaw: caddy.ModuleMap{"pki": a.pki()},
	}
	if err := validateCopy(config); err != nil {
		return nil, storageError(a.storage, err)
	}
	if a.Root, _, err = loadPair(ctx, storage, "root"); err != nil {
		return nil, storageError(a.storage, err)
	}
	return a, nil
}

// validateCopy validates a copy of a configuration. Caddy takes the JSON of modules out of the
// configuration that it loads: the caller's logging would be without its safe encoder then.
func validateCopy(config *caddy.Config) error {
	encoded, err := json.Marshal(config)
	if err != nil {
		return err
	}
	loaded := new(caddy.Config)
	if err := json.Unmarshal(encoded, loaded); err != nil {
		return err
	}
	return caddy.Validate(loaded)
}

// checkOwners fails if another user can have put something into the authority's storage, or
// knows its keys: whoever does can pretend to be any host.
func checkOwners(folder string) error {
	folder, err := trustedpath.Resolve(folder)
	if err != nil {
		return err
	}
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = trustedpath.Resolve(path)
		}
		var info fs.FileInfo
		if err == nil {
			info, err = os.Stat(path)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // any more: another process starts
			return nil
		case err != nil:
			return err
		case filepath.Ext(path) == ".key" && !trustedpath.Private(info):
			return fmt.Errorf("other users can use the key %s (mode %04o): remove %s, and the next start makes a new authority, which clients have to trust", path, info.Mode().Perm(), folder)
		}
		return nil
	})
}

// storageError explains why there is no authority.
func storageError(folder string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed
	}
	return fmt.Errorf("the certificate authority is kept in %s, which must be a folder that this user can write to and others cannot (set XDG_DATA_HOME for another one): %w", folder, err)
}

// PEM returns the root certificate as the content of a file.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw})
}

// Apps returns the configuration of the Caddy apps that keep a certificate for names and IP
// addresses. The first one has to be a name, if there is one.
func (a *Authority) Apps(names []string) caddy.ModuleMap {
	issuer := &Issuer{Names: names, Lifetime: caddy.Duration(a.times.leaf)}
	return caddy.ModuleMap{
		"pki": a.pki(),
		"tls": caddyconfig.JSON(caddytls.TLS{
			// Caddy cleans its storages in parallel with asking for the first certificate, and
			// removes the folder that this one is about to be written to. It tries again after a
			// minute, which is longer than a start may take.
			DisableStorageClean: true,
			CertificatesRaw:     caddy.ModuleMap{"automate": caddyconfig.JSON(names[:1], nil)},
			Automation: &caddytls.AutomationConfig{
				Policies: []*caddytls.AutomationPolicy{{
					IssuersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(issuer, "module", moduleName, nil)},
					StorageRaw: a.storageModule(),

					RenewalWindowRatio: a.times.ratio,
				}},
				RenewCheckInterval: caddy.Duration(a.times.leafCheck),
			},
		}, nil),
	}
}

// pki returns the configuration of Caddy's certificate authority. It has the id of Caddy's own,
// which Caddy would otherwise create too and ask the system to trust; it is another one because
// it is kept elsewhere.
func (a *Authority) pki() json.RawMessage {
	no := false
	return caddyconfig.JSON(caddypki.PKI{CAs: map[string]*caddypki.CA{
		caddypki.DefaultCAID: {
			Name:                 caName,
			InstallTrust:         &no,
			IntermediateLifetime: caddy.Duration(a.times.intermediate),
			MaintenanceInterval:  caddy.Duration(a.times.intermediateCheck),
			RenewalWindowRatio:   a.times.ratio,
			StorageRaw:           a.storageModule(),
		},
	}}, nil)
}

func (a *Authority) storageModule() json.RawMessage {
	return caddyconfig.JSONModuleObject(filestorage.FileStorage{Root: a.storage}, "module", "file_system", nil)
}
