package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/scopes"
)

const exportHelp = `
--export writes the map as a bundle, which gateways read with the option map. Without
  a file it is printed, unsigned. With --config, the map and routes of the configuration
  are in it.
--sign signs the bundle with an Ed25519 private key in a PEM file, and prints the public
  key for the option map. Make a key with:
  openssl genpkey -algorithm ed25519 -out key.pem

`

// exportFlags are the flags that write a bundle.
type exportFlags struct{ to, key *string }

const toStdout = "-"

func addExportFlags(cmd *cobra.Command) exportFlags {
	flags := cmd.Flags()
	f := exportFlags{
		to:  flags.String("export", "", "write a map bundle to a file"),
		key: flags.String("sign", "", "private key in PEM to sign the bundle with"),
	}
	flags.Lookup("export").NoOptDefVal = toStdout // so that a file comes as an argument
	return f
}

// args accepts the file of --export as an argument.
func (f exportFlags) args(cmd *cobra.Command, args []string) error {
	if *f.to == toStdout && len(args) == 1 {
		return nil
	}
	return cobra.NoArgs(cmd, args)
}

func (f exportFlags) run(cmd *cobra.Command, args []string, deps Deps, config configFlags) error {
	file := *f.to
	if len(args) == 1 {
		file = args[0]
	}
	switch {
	case file == "":
		return errors.New("--sign goes with --export <file>")
	case file == toStdout && *f.key != "":
		return errors.New("--export needs a file with --sign: what is printed may be changed on its way, and then the signature no longer fits")
	}
	if file != toStdout {
		if err := f.mayReplace(file); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	catalog, basedOn, err := f.catalog(deps, config)
	if err != nil {
		return err
	}
	bundle, err := mapbundle.Write(catalog, basedOn, time.Now())
	if err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	if file == toStdout {
		_, err := cmd.OutOrStdout().Write(bundle)
		return err
	}
	public := ""
	if *f.key != "" {
		key, err := mapbundle.LoadPrivateKey(*f.key)
		if err != nil {
			return fmt.Errorf("reading the key of --sign: %w; openssl genpkey -algorithm ed25519 -out <file> makes one", err)
		}
		if bundle, err = mapbundle.Sign(bundle, key); err != nil {
			return fmt.Errorf("signing the bundle: %w", err)
		}
		public = fmt.Sprintf("public key: %s\n", key.Public())
	}
	if err := regularfile.Replace(file, bundle); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rows, catalog %s\n%s", file, len(catalog.Operations()), catalog.Version(), public)
	return nil
}

// mayReplace refuses to write over a file that is something else than a bundle, such as the
// private key.
func (f exportFlags) mayReplace(file string) error {
	is, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if key, keyErr := os.Stat(*f.key); err == nil && keyErr == nil && os.SameFile(is, key) {
		return fmt.Errorf("%s is the private key, which would be lost: name another file", file)
	}
	content, err := regularfile.Read(file, mapbundle.MaxSize)
	if err == nil && len(content) > 0 && !mapbundle.Is(content) {
		err = fmt.Errorf("%s is there already, and no map bundle: name another file, or remove it", file)
	}
	return err
}

// catalog returns the map to export, and the day of the shipped map that it is based on.
func (f exportFlags) catalog(deps Deps, config configFlags) (*scopes.Catalog, time.Time, error) {
	if *config.path == "" {
		return scopes.Default(), scopes.Date(), nil
	}
	read, err := deps.LoadConfig(*config.path, *config.adapter)
	if err != nil {
		return nil, time.Time{}, err
	}
	judge, err := read.Judge()
	if err != nil {
		return nil, time.Time{}, err
	}
	if read.MapDate.IsZero() {
		read.MapDate = scopes.Date()
	}
	return judge.Catalog, read.MapDate, nil
}
