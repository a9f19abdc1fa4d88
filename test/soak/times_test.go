package soak

import (
	"flag"
	"time"
)

// soak is how long TestSoak runs. To run it for ten minutes:
//
//	go test ./test/soak -soak 10m -timeout 15m -v
var soak = flag.Duration("soak", 0, "how long TestSoak runs; 20s is a smoke run, 10m is a soak")

// times are the times of a run. Those of a short run are shorter, so that everything
// happens at least once.
type times struct {
	ttl, stale time.Duration // of facts about tokens
	lag        time.Duration // how long the state of a token before a change may still apply
	openAfter  time.Duration // when a record of an open request is due
	grace      time.Duration // for requests when the process is told to end
	life       time.Duration // of a process
	lastLife   time.Duration // of the last process, in which transfers pause
	pause      time.Duration // of these transfers
	reload     time.Duration // between reloads
	change     time.Duration // between changes of tokens
	lookupsOff time.Duration // how long look-ups fail
	lookupsOn  time.Duration // how long they work
	silence    time.Duration // how long connections that went silent are left alone
	standstill time.Duration // how long nothing at all passes
	breath     time.Duration // after other faults of the network
}

const (
	// slack is for a busy machine.
	slack = 5 * time.Second

	// replaced is when a connection that went silent must have been replaced.
	replaced = 45 * time.Second
)

func timesOf(total time.Duration) times {
	share := func(percent time.Duration, least, most time.Duration) time.Duration {
		return min(max(total*percent/100, least), most)
	}
	x := times{
		ttl:        share(5, time.Second, 5*time.Second),
		stale:      share(10, 2*time.Second, 10*time.Second),
		openAfter:  share(5, time.Second, 5*time.Second),
		grace:      share(10, 2*time.Second, 3*time.Second),
		life:       share(25, 7*time.Second, time.Minute),
		pause:      share(15, 2*time.Second, 80*time.Second), // Caddy cuts after 60s
		reload:     share(15, 3*time.Second, 30*time.Second),
		change:     share(1, 50*time.Millisecond, time.Second),
		lookupsOff: share(3, 500*time.Millisecond, 20*time.Second),
		lookupsOn:  share(8, 2500*time.Millisecond, 20*time.Second),
		silence:    share(10, 2*time.Second, 30*time.Second),
		standstill: share(5, time.Second, 3*time.Second),
		breath:     share(3, 500*time.Millisecond, 5*time.Second),
	}
	x.lag = x.ttl + x.stale + share(10, 2*time.Second, slack)
	x.lastLife = x.pause + share(15, 4*time.Second, 40*time.Second)
	return x
}

// tokensFor is how many tokens a run has: enough to be looked up all the time, and few
// enough to be used again.
func tokensFor(total time.Duration) int { return min(max(int(10*total.Seconds()), 200), 2000) }
