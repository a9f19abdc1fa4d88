package main

import (
	"sync"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// clock shows the time that was set, until resume switches it to the machine's time. It is
// safe for concurrent use.
type clock struct {
	mu      sync.Mutex
	at      time.Time
	resumed bool
}

func newClock(at time.Time) *clock { return &clock{at: at} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed {
		return time.Now()
	}
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumed = true
}
