package caddymodule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	durations "github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Cache sets how long facts about tokens are remembered. Expiry and scopes are checked
// on every request, whatever the cache holds.
type Cache struct {
	// Maximum number of tokens in the cache. Default: `100000`.
	Size int `json:"size,omitempty"`

	// How long facts about a token are used before the workspace is asked again. A
	// revoked or narrowed token may pass for this long. Default: `1m`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long an unknown token is refused before the workspace is asked again.
	// Default: `10s`.
	NegativeTTL caddy.Duration `json:"negative_ttl,omitempty"`

	// How long past `ttl` facts are still used while the workspace cannot be asked;
	// `0` turns this off. Default: `15m`.
	MaxStale *caddy.Duration `json:"max_stale,omitempty"`
}

// Lookup limits the requests to the workspace's Token Management API.
type Lookup struct {
	// Timeout of one look-up, including the wait for a free slot. Default: `5s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Maximum number of look-ups that start in a second; with `fleet`, in all its gateways
	// together. Default: `10`, and `100` for an edge.
	Rate int `json:"rate,omitempty"`

	// Maximum number of concurrent look-ups. Default: `8`.
	Concurrency int `json:"concurrency,omitempty"`
}

const (
	maxCacheSize = 10_000_000
	maxRate      = 1_000
	maxTTL       = 24 * time.Hour
	maxTimeout   = time.Minute
)

// intervalOrOff accepts zero, which stands for the default.
func intervalOrOff(name string, value caddy.Duration, least time.Duration) error {
	if d := time.Duration(value); value != intervalOff && d != 0 && (d < least || d > maxTTL) {
		return fmt.Errorf("%s must be between %s and %s, or off, not %s", name, durations.Format(least), durations.Format(maxTTL), durations.Format(d))
	}
	return nil
}

func oneOf(name, value string, choices []string) error {
	if value == "" {
		return nil
	}
	for _, choice := range choices {
		if value == choice {
			return nil
		}
	}
	list := strings.Join(choices, ", ")
	if i := strings.LastIndex(list, ", "); i >= 0 {
		list = list[:i] + " or " + list[i+len(", "):]
	}
	return fmt.Errorf("%s must be %s, not %q", name, list, value)
}

func (c *Cache) validate() error {
	if c == nil {
		return nil
	}
	problems := []error{
		between("cache size", c.Size, maxCacheSize),
		betweenDurations("cache ttl", c.TTL, maxTTL),
		betweenDurations("cache negative_ttl", c.NegativeTTL, maxTTL),
	}
	if c.MaxStale != nil && (*c.MaxStale < 0 || time.Duration(*c.MaxStale) > maxTTL) {
		problems = append(problems, fmt.Errorf("cache max_stale must be between 0 and %s", durations.Format(maxTTL)))
	}
	return errors.Join(problems...)
}

func (l *Lookup) validate() error {
	if l == nil {
		return nil
	}
	return errors.Join(
		betweenDurations("lookup timeout", l.Timeout, maxTimeout),
		between("lookup rate", l.Rate, maxRate),
		between("lookup concurrency", l.Concurrency, maxRate),
	)
}

// between and betweenDurations accept zero, which stands for the default.
func between(name string, value, limit int) error {
	if value < 0 || value > limit {
		return fmt.Errorf("%s must be between 1 and %d, not %d", name, limit, value)
	}
	return nil
}

func betweenDurations(name string, value caddy.Duration, limit time.Duration) error {
	if value < 0 || time.Duration(value) > limit {
		return fmt.Errorf("%s must be more than 0 and at most %s, not %s", name, durations.Format(limit), durations.Format(time.Duration(value)))
	}
	return nil
}

// freshness returns the cache's settings with their defaults. It works on nil.
func (c *Cache) freshness() tokens.Freshness {
	f := tokens.DefaultFreshness
	if c == nil {
		return f
	}
	if c.TTL > 0 {
		f.TTL = time.Duration(c.TTL)
	}
	if c.NegativeTTL > 0 {
		f.NegativeTTL = time.Duration(c.NegativeTTL)
	}
	if c.MaxStale != nil {
		f.MaxStale = time.Duration(*c.MaxStale)
	}
	return f
}
