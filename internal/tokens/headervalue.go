package tokens

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/databricks/databricks-sdk-go/config"
	"golang.org/x/net/http/httpguts"
)

// errNoHeaderValue never quotes the value.
var errNoHeaderValue = errors.New("the admin credential holds a character that no header may hold, such as a line break; check how it was written")

// checkCredential reports a credential that cannot be right. Most would be encoded
// when they are sent, and the workspace would refuse them without saying why.
func checkCredential(cfg *config.Config) error {
	for _, value := range []string{
		cfg.Token, cfg.ClientID, cfg.ClientSecret, cfg.Username, cfg.Password, cfg.AzureClientID, cfg.AzureClientSecret,
	} {
		if !httpguts.ValidHeaderFieldValue(value) {
			return errNoHeaderValue
		}
	}
	return nil
}

// checkHeader reports a header that net/http would refuse to send, with an error that
// has no type. The values come from the environment, or from programs that the SDK runs.
func checkHeader(header http.Header) error {
	for name, values := range header {
		for _, value := range values {
			switch {
			case httpguts.ValidHeaderFieldValue(value):
			case name == "Authorization" || strings.HasSuffix(name, "-Token"):
				return errNoHeaderValue
			default:
				return fmt.Errorf("the header %s would hold a character that no header may hold, such as a line break; check the settings of the SDK in the environment and the profile", name)
			}
		}
	}
	return nil
}
