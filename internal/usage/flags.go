package usage

import "time"

// Flag is a reason to look at a token.
type Flag string

// The flags, in the order of [Report.Flags].
const (
	FlagGone        Flag = "revoked"       // the workspace no longer lists it
	FlagExpired     Flag = "expired"       // its expiry has passed
	FlagRefused     Flag = "refused"       // calls were refused
	FlagWouldRefuse Flag = "would break"   // calls passed that mode enforce would refuse
	FlagUnscoped    Flag = "unscoped"      // it may do everything
	FlagNoExpiry    Flag = "never expires" // it lasts until it is revoked
	FlagExpiring    Flag = "expires soon"  // within Limits.Expiring
	FlagUnused      Flag = "unused"        // for Limits.Unused
	FlagMissing     Flag = "scope missing" // it lacks scopes that its calls need
	FlagExcess      Flag = "holds more"    // it holds scopes that no call needed
)

// Limits say when flags that depend on time are set. Zero means never.
type Limits struct {
	// Unused is how long a token was not used, and Expiring how soon it expires.
	Unused, Expiring time.Duration
}

// Flags returns the reasons to look at a token of the report.
func (r *Report) Flags(row *Row, limits Limits) (flags []Flag) {
	add := func(when bool, flag Flag) {
		if when {
			flags = append(flags, flag)
		}
	}
	picks := func(f Filter) bool { return f.picks(row, r.At) }
	expired := row.Listed && row.Expired(r.At)
	add(row.Gone, FlagGone)
	add(expired, FlagExpired)
	add(row.seen().Denied > 0, FlagRefused)
	add(row.seen().WouldDeny > 0, FlagWouldRefuse)
	add(picks(Filter{Unscoped: true}), FlagUnscoped)
	add(picks(Filter{NoExpiry: true}), FlagNoExpiry)
	add(limits.Expiring > 0 && picks(Filter{Expiring: limits.Expiring}), FlagExpiring)
	unused, doubtful := r.UnusedFor(row, limits.Unused)
	add(limits.Unused > 0 && unused && !doubtful, FlagUnused)
	add(row.Listed && len(row.Added) > 0, FlagMissing)
	add(row.excess(), FlagExcess)
	return flags
}

// excess reports whether a token was narrowed, and still holds more than its calls need.
func (r *Row) excess() bool {
	return r.Listed && !r.Unscoped && len(r.Used) > 0 && len(without(r.Scopes, r.Used...)) > 0
}
