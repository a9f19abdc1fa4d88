package edge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// behind are the pauses before an authority is asked again that has not heard yet of a change
// which this edge has applied.
var behind = []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond}

// Lookup implements [tokens.Service]. An answer is as old as the authority says, from before
// the request was sent: it never seems younger than it is.
func (c *Client) Lookup(ctx context.Context, q tokens.Query) (tokens.Answer, error) {
	c.Start()
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	for _, pause := range behind {
		if pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
		}
		applied := c.subscription.at() // what is applied meanwhile, the resolver minds by itself
		answer, position, err := c.lookup(ctx, q)
		if err == nil || errors.Is(err, tokens.ErrUnknownToken) {
			c.subscription.took(position)
		}
		if err != nil || position.Epoch != applied.Epoch || position.Generation >= applied.Generation {
			return answer, err
		}
	}
	return tokens.Answer{}, &tokens.UnavailableError{Outage: tokens.TooOld}
}

func (c *Client) lookup(ctx context.Context, q tokens.Query) (tokens.Answer, wire.Position, error) {
	path := "tokens/" + q.ID.String()
	if !q.After.IsZero() {
		path += "?newer_than_ms=" + strconv.FormatInt(max(0, c.options.Now().Sub(q.After).Milliseconds()), 10)
	}
	found, err := c.ask(ctx, request{http.MethodGet, path, nil, wire.MaxAnswer})
	if err != nil {
		return tokens.Answer{}, wire.Position{}, err
	}
	if found.status != http.StatusOK {
		err := c.problemOf(found)
		if !errors.Is(err, tokens.ErrUnknownToken) {
			return tokens.Answer{}, wire.Position{}, err
		}
		problem, _ := wire.DecodeProblem(found.body) // it was read before
		return tokens.Answer{ID: q.ID, At: before(found.asked, problem.AgeMS)}, wire.Position{}, err
	}
	told, err := wire.DecodeTokenAnswer(found.body)
	if err != nil {
		return tokens.Answer{}, wire.Position{}, badAnswer("its answer about a token cannot be read")
	}
	info, err := told.Token.Info(q.ID)
	if err != nil {
		return tokens.Answer{}, wire.Position{}, badAnswer(err.Error())
	}
	if told.Workspace > 0 {
		c.workspaceID.Store(told.Workspace)
	}
	return tokens.Answer{ID: q.ID, Info: info, At: before(found.asked, told.AgeMS)}, told.Position, nil
}

// maxAge is longer than anything is kept, in milliseconds.
const maxAge = 1 << 40

func before(at time.Time, ms int64) time.Time {
	return at.Add(-time.Duration(min(ms, maxAge)) * time.Millisecond)
}

// List implements [tokens.Service]: an edge cannot list tokens.
func (c *Client) List(context.Context) ([]*tokens.Info, []tokens.Faulty, error) {
	return nil, nil, (&tokens.UnavailableError{Outage: tokens.NoList}).ForEveryone()
}

// errNotYet says that an authority looks up a name and does not know it yet.
var errNotYet = errors.New("the authority does not know the name yet")

// OwnerName returns an owner with the name, for [tokens.NewOwnersFrom].
func (c *Client) OwnerName(ctx context.Context, id int64) (tokens.Principal, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	found, err := c.ask(ctx, request{http.MethodGet, "owners/" + strconv.FormatInt(id, 10), nil, wire.MaxAnswer})
	if err != nil {
		return tokens.Principal{}, err
	}
	if found.status != http.StatusOK {
		return tokens.Principal{}, c.problemOf(found)
	}
	told, err := wire.DecodeOwnerAnswer(found.body, id)
	switch {
	case err != nil:
		return tokens.Principal{}, badAnswer("its answer about an owner cannot be read")
	case told.Owner.Name == "":
		return tokens.Principal{}, errNotYet
	}
	c.subscription.took(wire.Position{})
	return told.Owner.Principal(), nil
}
