package tokens

import "time"

// goneAge is how long it is believed that an owner has not left, or has. It is asked of every
// owner of a token, and SCIM is slow.
const goneAge = 24 * time.Hour

// Gone reports whether an owner was deleted or deactivated, as of the last day. It is not known
// at first, nor while SCIM has not answered about any owner at all: then a workspace that
// answers 404 to everything would make all owners look as if they had left. It never blocks:
// what is not known is looked up in the background, after names that are needed sooner.
func (o *Owners) Gone(id int64) (gone, known bool) {
	if id == 0 {
		return false, false
	}
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	about, ok := o.names.Peek(id)
	if !ok {
		about.owner = NewPrincipal(id, "")
	}
	if now.Sub(about.answered) >= goneAge && now.Sub(about.asked) >= ownerRetry && o.ctx.Err() == nil {
		o.start()
		select {
		case o.again <- id:
			// It stays due: who needs the name does not wait for this turn.
			about.asked = now
			o.names.Add(id, about)
		default: // the next call queues it
		}
	}
	return about.gone, !about.answered.IsZero() && (!about.gone || o.found)
}
