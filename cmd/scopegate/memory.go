package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// garbageAllowance is how much garbage may pile up before it is collected, in
// bytes. Go collects when the heap has doubled, which for a gateway that holds ten
// megabytes is several times a second under load, and takes a tenth of its time.
const garbageAllowance = 32 << 20

// defaultGCPercent is Go's own, which applies when more is in use than the
// allowance: then memory is what to be careful with.
const defaultGCPercent = 100

// tuneGC lets garbage pile up to the allowance, and keeps to it as the heap grows
// and shrinks, unless the operator has set GOGC. GOMEMLIMIT, which Caddy derives
// from the container's limit, holds in any case: near it, Go collects as often as
// it must.
func tuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	afterEachCollection(new(gcPercent).adjust)
}

// gcPercent is what was last told to the runtime.
type gcPercent struct{ set int }

func (p *gcPercent) adjust() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	want := percentFor(sample[0].Value.Uint64())
	// Telling the runtime stops the world for a moment: not for every little.
	if want > p.set*9/10 && want < p.set*11/10 {
		return
	}
	debug.SetGCPercent(want)
	p.set = want
}

// percentFor returns how much may be added to so many live bytes, in per cent of
// them. They are taken for one megabyte at least, so that the result is no absurd
// number.
func percentFor(live uint64) int {
	return max(defaultGCPercent, int(garbageAllowance*100/max(live, 1<<20)))
}

// afterEachCollection calls f now and then after each garbage collection, in a
// goroutine of the runtime's.
func afterEachCollection(f func()) {
	f()
	var arm func()
	arm = func() {
		// Found unreachable by the next collection, and so by every one. It has a
		// pointer, because tiny objects without any share their memory with others.
		sentinel := new(*int)
		runtime.SetFinalizer(sentinel, func(**int) {
			f()
			arm()
		})
	}
	arm()
}
