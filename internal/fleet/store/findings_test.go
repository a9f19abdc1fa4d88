package store

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// TestFindings: gateways of one fleet share findings through its store, and one of them tells.
func TestFindings(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var news, asked atomic.Int64
	book := func() *findings.Book {
		b := findings.NewBook(findings.Options{Observe: func(_ findings.Finding, change findings.Change) {
			if change == findings.ChangeNew {
				news.Add(1)
			}
		}})
		b.Keep(findings.Settings{Store: join(t, server, setting{}).UsageStore(), Prefix: "findings/w", Input: func(context.Context) (findings.Input, error) {
			asked.Add(1)
			now := time.Now()
			listed := []usage.ListedToken{{ID: tokens.IDOf("one").String(), LastUsed: now, TokenFacts: usage.TokenFacts{Created: now, Expires: now.Add(time.Hour)}}}
			return findings.Input{Report: usage.NewReport(usage.State{Since: now}, listed, now)}, nil
		}})
		t.Cleanup(b.Close)
		return b
	}
	first, second := book(), book()
	if err := errors.Join(first.Refresh(t.Context()), second.Refresh(t.Context())); err != nil {
		t.Fatal(err)
	}
	if len(first.List()) != 1 || len(second.List()) != 1 || news.Load() != 1 || asked.Load() != 1 {
		t.Fatalf("%d and %d findings, told %d times, asked %d times", len(first.List()), len(second.List()), news.Load(), asked.Load())
	}
	if _, err := second.Acknowledge(t.Context(), findings.Acknowledge{Key: first.List()[0].Key, Note: "why"}); err != nil {
		t.Fatal(err)
	}
	third := book() // after a restart
	if err := third.Refresh(t.Context()); err != nil || third.List()[0].State != findings.Acknowledged || third.List()[0].Acknowledged.Note != "why" {
		t.Errorf("%v, %+v", err, third.List())
	}
}

// TestInactiveOwner: that an owner was deactivated is not shared as a name, so that each gateway
// finds it out.
func TestInactiveOwner(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for range 2 {
		lookup := join(t, server, setting{}).OwnersFrom(func(_ context.Context, id int64) (tokens.Principal, error) {
			return tokens.NewPrincipal(id, "old@example.com"), tokens.ErrInactive
		})
		owner, err := lookup(t.Context(), 7)
		if name, _ := owner.Name(); !errors.Is(err, tokens.ErrInactive) || name != "old@example.com" {
			t.Errorf("%q, %v", name, err)
		}
	}
}
