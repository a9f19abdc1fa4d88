package store

import (
	"math"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// TestForgedBudget: whatever somebody writes over the budget neither stops look-ups for long nor
// lets through more than a burst.
func TestForgedBudget(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for i, c := range []struct {
		name  string
		write []string // a command, whose key follows the first word
	}{
		{"filled in the future", []string{"HSET", "at", "1e18", "l1", "0", "l2", "0", "l3", "0"}},
		{"debts", []string{"HSET", "at", "1e18", "l1", "-1e9", "l2", "-1e9", "l3", "-1e9"}},
		{"debts without a time", []string{"HSET", "l1", "-1e300", "l2", "-inf", "l3", "-1e300"}},
		{"the beginning of time", []string{"HSET", "at", "-1e300", "l1", "0", "l2", "0", "l3", "0"}},
		{"minus infinity", []string{"HSET", "at", "-inf", "l1", "-inf", "l2", "-inf", "l3", "-inf"}},
		{"infinity", []string{"HSET", "at", "inf", "l1", "inf", "l2", "inf", "l3", "inf"}},
		{"not a number", []string{"HSET", "at", "nan", "l1", "nan", "l2", "-nan", "l3", "nan"}},
		{"no numbers", []string{"HSET", "at", "x", "l1", "", "l2", "1 2", "l3", "{}"}},
		{"a fortune", []string{"HSET", "l1", "1e300", "l2", "1e300", "l3", "1e300"}},
		{"a string", []string{"SET", "x"}},
		{"a list", []string{"RPUSH", "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := join(t, server, setting{workspace: "https://" + string(rune('a'+i)) + ".example.com"})
			key := g.options.Prefix + "budget"
			if err := do(t, g, append([]string{c.write[0], key}, c.write[1:]...)...).Err(); err != nil {
				t.Fatal(err)
			}
			ask := func() int64 {
				result, err := g.conn.Script(t.Context(), "budget", takeTurn, []string{key}, []string{"3", "10", "0.5", "0.25", "0.25"})
				if err != nil {
					t.Fatal(err)
				}
				wait, err := result.Int()
				if err != nil {
					t.Fatal(err)
				}
				return wait
			}
			began, taken := time.Now(), 0
			for range 100 {
				if wait := ask(); wait == 0 {
					taken++
				} else if wait < 0 || wait > 1_000_000 {
					t.Fatalf("look-ups wait %d µs", wait)
				}
			}
			// The burst of the own lane, one that each other one would lose, and what was gained.
			if most := 4 + 2 + int(10*time.Since(began).Seconds()+1); taken > most {
				t.Errorf("%d look-ups, want at most %d", taken, most)
			}
			if ms, err := do(t, g, "PTTL", key).Int(); err != nil || ms <= 0 || ms > 60_000 {
				t.Errorf("the budget expires in %d ms, %v", ms, err)
			}
		})
	}
}

// TestPersistentBudget: a budget of which somebody removed the expiry gets one again.
func TestPersistentBudget(t *testing.T) {
	t.Parallel()
	g := join(t, redistest.Start(t), setting{})
	g.Allow(t.Context(), tokens.Known)
	key := g.options.Prefix + "budget"
	if removed, err := do(t, g, "PERSIST", key).Int(); err != nil || removed != 1 {
		t.Fatalf("no expiry to remove: %v", err)
	}
	g.Allow(t.Context(), tokens.Known)
	if ms, err := do(t, g, "PTTL", key).Int(); err != nil || ms <= 0 {
		t.Errorf("it expires in %d ms, %v", ms, err)
	}
}

func TestPlausible(t *testing.T) {
	t.Parallel()
	for wait, want := range map[int64]bool{0: true, 1: true, 60_000_000: true, 60_000_001: false, -1: false, math.MinInt64: false, math.MaxInt64: false} {
		if got := plausible(wait); got != want {
			t.Errorf("plausible(%d) = %t", wait, got)
		}
	}
}
