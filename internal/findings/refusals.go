package findings

import (
	"maps"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// Usage counts refusals since a token was first seen. To tell how many there were lately, the
// book keeps of each token what the count was a day or two ago.

const (
	// sampleAge is how old a sample is when the next one begins.
	sampleAge = 24 * time.Hour
	// maxSamples bounds how many tokens are sampled.
	maxSamples = 10_000
)

// sample is what a token's count was when the current period began, and when the one before
// did.
type sample struct {
	At      time.Time
	Count   uint64
	Earlier uint64
}

// refused is a token with refusals.
type refused struct {
	row   *usage.Row
	base  Finding // but for its text
	count uint64
	// daily is the average of a day, if the token was seen within the last one.
	daily uint64
}

// refusals notes how often a token was refused, or would have been. A client may still use a
// token that has expired.
func (j *judgement) refusals(row *usage.Row) {
	seen := row.Seen
	if seen == nil || !row.Listed || seen.Denied+seen.WouldDeny == 0 {
		return
	}
	r := refused{row: row, base: j.finding(row, RefusedOften, Medium, "", recommend(row.ID)), count: seen.Denied + seen.WouldDeny}
	if j.now.Sub(seen.Last) < sampleAge {
		days := max(1, int(seen.Last.Sub(seen.First)/sampleAge)+1)
		r.daily = r.count / uint64(days)
	}
	j.evaluation.refused = append(j.evaluation.refused, r)
}

// often updates the samples and returns the findings about tokens that are refused often.
func (e *evaluation) often(samples map[string]sample, now time.Time) (found []Finding) {
	if e.kinds[RefusedOften] {
		return nil
	}
	alive := make(map[string]bool, len(e.refused))
	for i := range e.refused {
		r := &e.refused[i]
		id := r.row.ID
		s, known := samples[id]
		if !known && len(samples) >= maxSamples {
			continue
		}
		alive[id] = true
		s = s.next(known, r, now)
		samples[id] = s
		if lately := r.count - min(s.Earlier, r.count); lately >= manyRefusals {
			f := r.base
			f.Text = sentence(refusedOftenText(lately, r.row))
			found = append(found, f)
		}
	}
	maps.DeleteFunc(samples, func(id string, _ sample) bool { return !alive[id] })
	return found
}

// next returns the sample to go on with. Where nothing is known of the last two days, the
// average stands for what was refused in them.
func (s sample) next(known bool, r *refused, now time.Time) sample {
	age := now.Sub(s.At)
	switch {
	case !known || age >= 2*sampleAge || age < 0:
		return sample{At: now, Count: r.count, Earlier: r.count - r.daily}
	case age >= sampleAge:
		return sample{At: now, Count: r.count, Earlier: min(s.Count, r.count)}
	}
	s.Count, s.Earlier = min(s.Count, r.count), min(s.Earlier, r.count)
	return s
}
