package tokens

// ForgetUnknown forgets which tokens are unknown, for when one was just made.
func (r *Resolver) ForgetUnknown() { r.cache.unknown.Purge() }

// Invalidate forgets what is known about a token that was changed or deleted.
func (r *Resolver) Invalidate(id ID) { r.cache.forget(id) }
