package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/scopegate/scopegate/internal/tokens"
)

// minIDStart is how many digits of an id name a token. Tables show a few more.
const minIDStart = 8

// tokenID reads a token's id. The beginning of one, as tables show it, will do if
// the gateway knows a single token of which it is. It is compared here: what is no
// id, and may be a token that was pasted by mistake, goes nowhere.
func (a adminAddress) tokenID(text, workspace string) (tokens.ID, error) {
	id, err := tokens.ParseID(text)
	start := strings.ToLower(strings.TrimSuffix(text, "…"))
	switch {
	case err == nil:
		return id, nil
	case start == "" || strings.Trim(start, "0123456789abcdef") != "":
		return id, err
	case len(start) < minIDStart:
		return id, fmt.Errorf("a token id has 64 hexadecimal digits, of which the first %d will do; this has %d", minIDStart, len(start))
	}
	var report struct {
		Rows []struct {
			ID string `json:"id"`
		} `json:"rows"`
	}
	if err := a.read("usage", url.Values{queryWorkspace: {workspace}}, &report); err != nil {
		return tokens.ID{}, err
	}
	found := ""
	for _, row := range report.Rows {
		switch {
		case !strings.HasPrefix(row.ID, start):
		case found != "":
			return tokens.ID{}, errors.New("several tokens' ids begin so; write more of it")
		default:
			found = row.ID
		}
	}
	if found == "" {
		return tokens.ID{}, errors.New("the gateway knows no token whose id begins so")
	}
	return tokens.ParseID(found)
}
