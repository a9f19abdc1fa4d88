package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// minIDPrefix is how many digits of an id are needed to name a token. Tables show a few
// more.
const minIDPrefix = 8

// oneTokenID is the arguments of commands for one token. For many there are flags.
func oneTokenID(args []string, flags string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("pass the id of one token, not %d, or %s for many; the first %d digits of an id or more are enough, as scopes report shows them", len(args), flags, minIDPrefix)
}

// tokenID reads a token's id, or a prefix of one as tables show it, if the gateway knows
// exactly one token with it. The gateway sends all ids and they are compared here: text
// that is not an id, and may be a token that was pasted by mistake, is not sent.
func (f addressFlag) tokenID(text, workspace string) (tokens.ID, error) {
	id, err := tokens.ParseID(text)
	prefix := strings.ToLower(strings.TrimSuffix(text, "…"))
	switch {
	case err == nil:
		return id, nil
	case prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "":
		return id, fmt.Errorf("%w; its first %d or more are enough, as scopes report shows them", err, minIDPrefix)
	case len(prefix) < minIDPrefix:
		return id, fmt.Errorf("a token id has 64 hexadecimal digits; give at least the first %d, not %d", minIDPrefix, len(prefix))
	}
	client, err := f.client()
	if err != nil {
		return tokens.ID{}, err
	}
	ids, err := client.TokenIDs(workspace)
	if err != nil {
		return tokens.ID{}, withHint(err)
	}
	found := ""
	for _, id := range ids {
		switch {
		case !strings.HasPrefix(id, prefix):
		case found != "":
			return tokens.ID{}, errors.New("several token ids start with these digits; type more of them")
		default:
			found = id
		}
	}
	if found == "" {
		return tokens.ID{}, errors.New("the gateway knows no token whose id starts with these digits")
	}
	return tokens.ParseID(found)
}
