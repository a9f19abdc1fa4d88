package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrLost says that an operation was sent and no answer came: it may have been done or not.
// It is an [ErrDown] too.
var ErrLost = fmt.Errorf("%w: no answer", ErrDown)

// errNoRoom says that too many operations were under way. That says nothing of the store.
var errNoRoom = fmt.Errorf("%w: too many operations at a time", ErrDown)

// Do sends commands in one go and returns a reply to each, within its patience, what is left of it
// in a context of [Conn.WithPatience], or the time that ctx has if that is shorter. It returns ErrDown
// at once while the store is down, and ErrLost after a failure, which marks the store as down.
// The deadline of a caller that had less than half of it, or while the store answered
// others, is returned as such, and marks nothing: [Conn.watch] finds out whether the store is
// slow. Errors that the server replies with are in the replies.
//
// The operation is one of those of [fleet.Observer].
func (c *Conn) Do(ctx context.Context, operation string, commands ...Command) ([]Reply, error) {
	return c.ask(ctx, operation, namesOf(commands), func(ctx context.Context, s *session) ([]Reply, error) {
		return s.ask(ctx, commands)
	})
}

// Script runs a script, as [Conn.Do] does. The server is sent its text if it does not know it.
func (c *Conn) Script(ctx context.Context, operation string, script *Script, keys, args []string) (Reply, error) {
	replies, err := c.ask(ctx, operation, []string{"EVALSHA"}, func(ctx context.Context, s *session) ([]Reply, error) {
		replies, err := s.ask(ctx, []Command{script.byHash(keys, args)})
		if err == nil && isNoScript(replies[0].Err()) {
			return s.ask(ctx, []Command{script.byText(keys, args)})
		}
		return replies, err
	})
	if err != nil {
		return Reply{}, err
	}
	return replies[0], nil
}

// sender asks a session.
type sender func(context.Context, *session) ([]Reply, error)

func (c *Conn) ask(ctx context.Context, operation string, names []string, send sender) ([]Reply, error) {
	started := time.Now()
	s := c.current()
	if s == nil {
		c.asked(operation, "down", 0)
		return nil, ErrDown
	}
	limited, done, ok := c.spend(ctx)
	if !ok { // the request has waited enough
		c.asked(operation, "down", 0)
		return nil, ErrDown
	}
	replies, err := send(limited, s)
	done(err)
	took := time.Since(started)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil, err // the caller went away; that says nothing about the store
	}
	if errors.Is(err, context.DeadlineExceeded) && (took < c.options.Patience/2 || s.answered.Load() > started.UnixNano()) {
		c.asked(operation, "timeout", took)
		return nil, err
	}
	return c.judge(s, operation, names, replies, err, took)
}

// Long sends commands on a connection of their own: blocking ones, and many or large ones. It
// waits as long as ctx does, whose deadline should be well after the answer is due: when it
// passes, the store is marked as down. At most four run at a time; others wait for them.
func (c *Conn) Long(ctx context.Context, operation string, commands ...Command) ([]Reply, error) {
	started := time.Now()
	s := c.current()
	if s == nil {
		c.asked(operation, "down", 0)
		return nil, ErrDown
	}
	replies, err := s.askAlone(ctx, commands)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil, err
	}
	return c.judge(s, operation, namesOf(commands), replies, err, time.Since(started))
}

// asked tells the observer of an operation. One without a name waits for news, and says nothing
// of the store.
func (c *Conn) asked(operation, result string, took time.Duration) {
	if operation != "" {
		c.options.Observer.StoreAsked(operation, result, took)
	}
}

func namesOf(commands []Command) []string {
	names := make([]string, len(commands))
	for i, command := range commands {
		names[i] = command.name
	}
	return names
}

// during says which operation met an error. One without a name waits for news.
func during(operation string, err error) error {
	return fmt.Errorf("%s: %w", cmp.Or(operation, "waiting for changes"), err)
}

// judge tells the observer of an operation, and marks the store as down if it failed.
func (c *Conn) judge(s *session, operation string, names []string, replies []Reply, err error, took time.Duration) ([]Reply, error) {
	if err != nil {
		result := "error"
		if errors.Is(err, context.DeadlineExceeded) {
			result = "timeout"
		}
		c.asked(operation, result, took)
		if errors.Is(err, ErrDown) {
			return nil, err
		}
		err = describe(err, s.password)
		c.down(s, during(operation, err))
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	result := "miss"
	for i, r := range replies {
		// A command that reads goes well on a server that refuses those that write.
		question := strings.TrimSpace(operation + " " + names[i])
		if k := kind(r.Err()); k != "" {
			result = "error"
			reason := describe(r.Err(), s.password)
			c.trouble.begin(question, k, reason)
			if unusable(k) {
				c.down(s, during(operation, reason))
			}
			continue
		}
		c.trouble.end(question)
		if result == "miss" && !r.IsNil() {
			result = "ok"
		}
	}
	c.asked(operation, result, took)
	return replies, nil
}
