package store

import (
	"context"
	"math"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/tokens"
)

// laneShares are the shares of the rate that are reserved for each lane, as within one gateway.
var laneShares = [...]float64{tokens.Known: 0.5, tokens.Returning: 0.25, tokens.First: 0.25}

// maxWait bounds how long the store may keep a look-up waiting. A budget fills much sooner.
const maxWait = time.Minute

// takeTurn takes one look-up from a lane, or from another one that is full and would lose it.
// It returns 0, or in how many microseconds there may be one. Arguments: the lane, the rate, and
// the share of each lane. It counts by the server's clock. Others may write what it reads:
// whatever that is, it lets nobody wait for long, and it holds no more than a burst.
var takeTurn = redis.NewScript(`
local function within(text, low, high, other)
	local number = tonumber(text or nil)
	if not number or number ~= number then return other end
	return math.max(low, math.min(high, number))
end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local own, rate, lanes = tonumber(ARGV[1]), tonumber(ARGV[2]), #ARGV - 2
local kept = redis.pcall('HMGET', KEYS[1], 'at', 'l1', 'l2', 'l3')
if kept.err then
	if not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
	redis.call('DEL', KEYS[1])
	kept = {}
end
local passed = now - within(kept[1], now - 60, now, now)
local left, burst, gain = {}, {}, {}
for i = 1, lanes do
	gain[i] = rate * tonumber(ARGV[2 + i])
	burst[i] = 1 + math.ceil(gain[i])
	left[i] = math.min(burst[i], within(kept[1 + i], 0, burst[i], burst[i]) + passed * gain[i])
end
local taken, wait = 0, nil
if left[own] >= 1 then
	taken = own
else
	wait = (1 - left[own]) / gain[own]
	for i = 1, lanes do
		if i ~= own then
			if left[i] >= burst[i] - 0.000001 then taken = i break end
			wait = math.min(wait, (burst[i] - left[i]) / gain[i])
		end
	end
end
if taken > 0 then left[taken] = left[taken] - 1 wait = 0 end
redis.call('HSET', KEYS[1], 'at', tostring(now), 'l1', tostring(left[1]), 'l2', tostring(left[2]), 'l3', tostring(left[3]))
redis.call('PEXPIRE', KEYS[1], 60000)
return math.ceil(math.min(wait, 60) * 1000000)
`)

// budget is this gateway's part of the fleet's, for while the store is down.
type budget struct {
	perSecond int
	alone     *rate.Limiter
}

func newBudget(perSecond int) budget {
	b := budget{alone: rate.NewLimiter(1, 1)}
	b.tune(perSecond)
	return b
}

func (b *budget) tune(perSecond int) { b.perSecond = perSecond }

// Allow implements [tokens.Sharing]. While the store is down, or answers nonsense, each gateway takes its part of
// what all may ask, by how many there were.
func (s *Store) Allow(ctx context.Context, lane tokens.Lane) time.Duration {
	s.mu.Lock()
	perSecond, members := s.budget.perSecond, max(1, s.count)
	s.mu.Unlock()
	args := []string{strconv.Itoa(int(lane) + 1), strconv.Itoa(perSecond)}
	for _, share := range laneShares {
		args = append(args, strconv.FormatFloat(share, 'f', -1, 64))
	}
	result, err := s.options.Conn.Script(ctx, "budget", takeTurn, []string{s.options.Prefix + "budget"}, args)
	if err == nil {
		if wait, err := result.Int(); err == nil && plausible(wait) {
			return time.Duration(wait) * time.Microsecond
		}
	}
	part := max(1, float64(perSecond)/float64(members))
	now := time.Now()
	s.budget.alone.SetLimitAt(now, rate.Limit(part))
	s.budget.alone.SetBurstAt(now, int(math.Ceil(part)))
	r := s.budget.alone.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// plausible reports whether a wait, in microseconds, is one that takeTurn may return.
func plausible(wait int64) bool { return wait >= 0 && wait <= maxWait.Microseconds() }
