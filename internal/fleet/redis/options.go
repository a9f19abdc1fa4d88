// Package redis holds one connection to a Redis or Valkey server that never keeps anybody
// waiting for more than [Patience], or what [Options] say in its place.
package redis

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
)

const (
	// Patience is how long an operation may take, unless Options say otherwise: 50 ms.
	Patience = 50 * time.Millisecond

	// dialTimeout limits a dial with TLS, and each step of the greeting after it.
	dialTimeout = 500 * time.Millisecond
	// writeTimeout ends a connection on which nothing moves.
	writeTimeout = 2 * time.Second
	// maxInFlight limits operations at a time, and so the memory that they take while a server
	// hangs.
	maxInFlight = 200
	// maxLong limits the connections of [Conn.Long].
	maxLong = 4
)

// Options say where a server is, and who asks.
type Options struct {
	// Addresses are host:port: one server, or with Sentinel the Sentinels.
	Addresses []string
	Database  int
	// Secure connects with TLS.
	Secure bool
	TLS    TLS
	// Username is of the server's access control list. Default: its default user.
	Username string
	// Password is asked for before each connection. Nil: none. Sentinels are asked without
	// user name and password first, and with them if they want them.
	Password func() (string, error)
	// Sentinel is the master's name. Default: Addresses name the server itself.
	Sentinel string
	// Patience is how long an operation may take. Default: 50 ms, see [Patience]. Tests of what
	// is asked, on machines that do more than they can, set more.
	Patience time.Duration
	// Observer and Logger are told what happens. Default: nobody.
	Observer fleet.Observer
	Logger   func() *zap.Logger
}

// password returns the password of the moment. The error does not quote it.
func (o Options) password() (string, error) {
	if o.Password == nil {
		return "", nil
	}
	password, err := o.Password()
	if err != nil {
		return "", fmt.Errorf("password cannot be read: %w", err)
	}
	return password, nil
}
