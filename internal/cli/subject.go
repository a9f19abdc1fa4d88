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
		subject.OwnerName = value
		if id, err := strconv.ParseInt(value, 10, 64); err == nil {
			subject.Info.OwnerID = id
		}
	case "creator":
		subject.Info.CreatorName = value
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
		return errors.New("write owner=, creator=, comment=, token= or lifetime=")
	}
	return err
}
