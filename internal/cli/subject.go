package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
)

// parseSubject reads what --as says about a token.
func parseSubject(properties []string) (policy.Subject, error) {
	subject := policy.Subject{Info: new(tokens.Info)}
	for _, property := range properties {
		name, value, _ := strings.Cut(property, "=")
		if err := setProperty(&subject, name, value); err != nil {
			return policy.Subject{}, fmt.Errorf("--as %s: %w", name, err)
		}
	}
	return subject, nil
}

func setProperty(subject *policy.Subject, name, value string) (err error) {
	switch name {
	case "owner":
		subject.Owner, err = addTo(subject.Owner, value)
		subject.Info.Owner = subject.Owner
	case "creator":
		subject.Info.Creator, err = addTo(subject.Info.Creator, value)
	case "kind":
		if value != "pat" && value != "oauth" {
			return errors.New("write kind=pat or kind=oauth")
		}
		subject.Info.OAuth = value == "oauth"
	case "comment":
		subject.Info.Comment = value
	case "token":
		subject.Info.ID, err = tokens.ParseID(value)
	case "lifetime":
		if value == "never" {
			subject.Info.Expires = tokens.NeverExpires
			return nil
		}
		var lifetime time.Duration
		if lifetime, err = duration.Parse(value); err == nil {
			now := time.Now()
			subject.Info.Created, subject.Info.Expires = now, tokens.ExpiresAt(now.Add(lifetime))
		}
	default:
		return errors.New("write kind=, owner=, creator=, comment=, token= or lifetime=")
	}
	return err
}

// addTo adds a name or a number to what is known of an owner or creator.
func addTo(known tokens.Principal, value string) (tokens.Principal, error) {
	if id, err := strconv.ParseInt(value, 10, 64); err == nil {
		name, _ := known.Name()
		return tokens.NewPrincipal(id, name), nil
	}
	known = known.Named(value)
	if _, ok := known.Name(); !ok {
		return known, errors.New("a gateway takes this name as unknown: it is empty, or has characters that do not show or that imitate others")
	}
	return known, nil
}
