package redis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// probeTimeout limits a probe of a connection that is not made yet, or may be lost.
const probeTimeout = 500 * time.Millisecond

var errReplica = errors.New("server is a replica, which cannot be written to")

// connect finds the server, connects to it, and asks it whether it can be used.
func (c *Conn) connect() (*session, error) {
	password, err := c.options.password()
	if err != nil {
		return nil, err
	}
	address := c.options.Addresses[0]
	if c.options.Sentinel != "" {
		if address, err = c.sentinels.master(c.ctx, password); err != nil {
			return nil, err
		}
	}
	s, err := newSession(c.ctx, c.options, address, password)
	if err == nil {
		err = s.probe(c.ctx)
	}
	if err != nil {
		s.close()
		c.sentinels.doubt()
		return nil, describe(err, password)
	}
	return s, nil
}

// watch probes s about every second until it fails, and reports whether it lasted.
func (c *Conn) watch(s *session) (lasted bool) {
	if c.options.Sentinel != "" {
		s.work.Go(func() { c.watchMaster(s) })
	}
	for {
		timer := time.NewTimer(jitter(900*time.Millisecond, 1100*time.Millisecond))
		select {
		case <-s.pipe.failed:
			timer.Stop()
			c.down(s, describe(s.pipe.err, s.password))
			return lasted
		case <-s.ctx.Done():
			timer.Stop()
			c.down(s, errClosed)
			return lasted
		case <-timer.C:
		}
		if err := s.probe(s.ctx); err != nil {
			c.down(s, describe(err, s.password))
			return lasted
		}
		lasted = true
	}
}

// probe asks the server for a sign of life and for its role. An answer that takes longer than
// its patience is asked for once more: one may be late by chance.
func (s *session) probe(ctx context.Context) error {
	took, err := s.ping(ctx)
	if err == nil && took > s.options.Patience {
		if took, err = s.ping(ctx); err == nil && took > s.options.Patience && !busy() {
			err = fmt.Errorf("server is slow: it took %s to answer", took.Round(time.Millisecond))
		}
	}
	return err
}

func (s *session) ping(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	started := time.Now()
	// HELLO without arguments changes nothing, every user may send it, and it tells the role.
	call := s.pipe.ask([]Command{Cmd("PING"), Cmd("HELLO")}, func() {})
	replies, err := s.await(ctx, s.pipe, call)
	took := time.Since(started)
	if err != nil {
		return took, err
	}
	for _, reply := range replies {
		// A user that may not send PING, or a server that cannot save, is there all the same.
		if err := reply.Err(); unusable(kind(err)) {
			return took, err
		}
	}
	if hello, err := replies[1].Map(); err == nil {
		if role, _ := hello["role"].Text(); role == "replica" || role == "slave" {
			return took, errReplica
		}
	}
	return took, nil
}
