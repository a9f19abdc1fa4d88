package main

import (
	"math/rand/v2"
	"os"
	"time"
)

// randomizer is the source of randomness; tests seed it.
type randomizer = *rand.Rand

// clocks measures who used the machine.
type clocks struct {
	at            time.Time
	machine, ours time.Duration
}

// clock reads them.
func (l *lab) clock(r running) clocks {
	c := clocks{at: time.Now(), machine: machineBusy(), ours: cpuTime(os.Getpid())}
	pids := make(map[int]bool)
	for _, h := range []*helper{l.upstream, l.authorizer, l.receiver} {
		pids[h.pid()] = true
	}
	for _, t := range r.targets {
		for _, pid := range t.pids {
			pids[pid] = true
		}
	}
	for pid := range pids {
		c.ours += cpuTime(pid)
	}
	return c
}

// others returns the share of the machine's work since an earlier reading that was not
// ours: other programs, and kernel time that is charged to no process.
func (c clocks) others(before clocks) float64 {
	machine := c.machine - before.machine
	if machine <= 0 {
		return 0
	}
	return max(0, 1-float64(c.ours-before.ours)/float64(machine))
}
