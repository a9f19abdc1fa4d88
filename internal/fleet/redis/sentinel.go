package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	redigo "github.com/gomodule/redigo/redis"
)

// askSentinelsEvery is how often Sentinels are asked whether the master is still the same one.
// It may be replaced without having failed for us.
const askSentinelsEvery = 5 * time.Second

// sentinels finds the master as Redis' guidelines for clients of Sentinel have it: it asks one
// Sentinel after the other, the one that answered last first, and the role of the server that
// they name is looked at before it is used.
type sentinels struct {
	options Options
	first   atomic.Int64 // the one to ask first, modulo their number
}

// master returns the address of the master by the first Sentinel that knows it.
func (f *sentinels) master(ctx context.Context, password string) (string, error) {
	addresses := f.options.Addresses
	first := int(f.first.Load())
	var problems []string
	for i := range addresses {
		at := (first + i) % len(addresses)
		master, err := f.ask(ctx, addresses[at], password)
		if err == nil {
			f.first.Store(int64(at))
			return master, nil
		}
		problems = append(problems, fmt.Sprintf("%s: %v", addresses[at], describe(err, password)))
	}
	return "", fmt.Errorf("no Sentinel tells where the master %s is: %s", f.options.Sentinel, strings.Join(problems, "; "))
}

// doubt has another Sentinel asked first, as the server that one named cannot be used: it may
// be cut off from the others.
func (f *sentinels) doubt() { f.first.Add(1) }

// ask asks one Sentinel. It gets user name and password if it wants them.
func (f *sentinels) ask(ctx context.Context, address, password string) (string, error) {
	plain, err := f.options.dial(ctx, ctx, address)
	if err != nil {
		return "", err
	}
	conn := redigo.NewConn(plain, 0, writeTimeout)
	defer conn.Close()
	question := func() ([]string, error) {
		return redigo.Strings(redigo.DoWithTimeout(conn, dialTimeout, "SENTINEL", "get-master-addr-by-name", f.options.Sentinel))
	}
	master, err := question()
	if isAuth(err) && password != "" {
		if err = f.options.login(conn, password); err == nil {
			master, err = question()
		}
	}
	switch {
	case errors.Is(err, redigo.ErrNil):
		return "", errors.New("Sentinel knows no master of this name") //nolint:staticcheck // a name
	case err != nil:
		return "", err
	case len(master) != 2:
		return "", errShape
	}
	return net.JoinHostPort(master[0], master[1]), nil
}

// watchMaster leaves s when the Sentinels name another master. It stays as long as none of them
// answers: they are not needed while the master does.
func (c *Conn) watchMaster(s *session) {
	ticker := time.NewTicker(askSentinelsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
		if master, err := c.sentinels.master(s.ctx, s.password); err == nil && master != s.address {
			c.down(s, fmt.Errorf("Sentinel names another master: %s", master)) //nolint:staticcheck // a name
			return
		}
	}
}
