package recent

import (
	"slices"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// parts are what a record is made of, apart from what belongs to its request alone. Many
// records of a page have them in common, and share them. What clients choose comes last, so
// that it cannot take the room of the rest.
var parts = [...]func(*wire, *audit.Record){verdict, token, site, client}

// request is what belongs to the request alone. It begins with the head.
func request(w *wire, r *audit.Record) {
	head(w, r)
	text(w, &r.Path)
	text(w, &r.UpstreamRequestID)
	caller(w, &r.Caller)
	number(w, &r.FactsAge)
	number(w, &r.Status)
	number(w, &r.UpstreamStatus)
	number(w, &r.BytesReceived)
	number(w, &r.BytesSent)
	number(w, &r.DecisionDuration)
	number(w, &r.UpstreamDuration)
	number(w, &r.Duration)
}

// head is what tells records apart.
func head(w *wire, r *audit.Record) {
	text(w, &r.RequestID)
	text(w, &r.Outcome)
	moment(w, &r.Time)
}

func site(w *wire, r *audit.Record) {
	text(w, &r.Workspace)
	text(w, &r.Catalog)
	text(w, &r.Rules)
}

func client(w *wire, r *audit.Record) {
	text(w, &r.ClientAddress)
	text(w, &r.UserAgent)
	texts(w, &r.Dropped)
}

func token(w *wire, r *audit.Record) {
	known := !r.Token.IsZero()
	if truth(w, &known); known {
		fixed(w, r.Token[:])
		if w.reading {
			r.TokenID = r.Token.String()
		}
	} else {
		text(w, &r.TokenID)
	}
	text(w, &r.Owner)
	text(w, &r.Creator)
	text(w, &r.Comment)
	texts(w, &r.Held)
	text(w, &r.Facts.Source)
	known = r.Facts.Info != nil
	if truth(w, &known); known {
		info(w, &r.Facts.Info)
	}
}

// info is what is known of a token, apart from its comment, which records have in the form
// that the operator chose.
func info(w *wire, known **tokens.Info) {
	if w.reading {
		*known = new(tokens.Info)
	}
	i := *known
	owner, _ := i.Owner.ID()
	name, _ := i.Owner.Name()
	number(w, &owner)
	text(w, &name)
	at, _ := i.Expires.At()
	never := i.Expires.Never()
	truth(w, &never)
	moment(w, &at)
	if w.reading {
		i.Owner = tokens.NewPrincipal(owner, name)
		if i.Expires = tokens.ExpiresAt(at); never {
			i.Expires = tokens.NeverExpires
		}
	}
	number(w, &i.WorkspaceID)
	texts(w, &i.Scopes)
	truth(w, &i.OAuth)
}

func verdict(w *wire, r *audit.Record) {
	text(w, &r.Method)
	text(w, &r.Decision)
	text(w, &r.Reason)
	truth(w, &r.Enforced)
	explained := r.Policy != "" || r.Requirement != "" || r.Problem != "" || r.Instead != "" || r.Detail != "" || r.WorkspaceID != 0
	if truth(w, &explained); explained {
		text(w, &r.Policy)
		text(w, &r.Requirement)
		text(w, &r.Problem)
		text(w, &r.Instead)
		text(w, &r.Detail)
		number(w, &r.WorkspaceID)
	}
	texts(w, &r.Operations)
	readings(w, r)
}

// maxReadings bounds the readings of a path that are kept.
const maxReadings = 8

// readings are the operations of a path, without the paths, which may be long, and which the
// operator may not want to keep. Records compare operations by their addresses, so each is
// written once.
func readings(w *wire, r *audit.Record) {
	n := count(w, len(r.Readings), maxReadings)
	if w.reading && n > 0 {
		r.Readings = make([]scopes.Reading, n)
	}
	var buf [2 + maxReadings]*scopes.Operation
	rows := buf[:0]
	row := func(o **scopes.Operation) {
		at := slices.Index(rows, *o)
		if at < 0 {
			at = len(rows)
		}
		if number(w, &at); at < 0 || at >= len(rows) {
			at = len(rows)
			rows = append(rows, operation(w, *o))
		}
		if w.reading {
			*o = rows[at]
		}
	}
	row(&r.Operation)
	row(&r.SpellingOf)
	for i := range n {
		row(&r.Readings[i].Operation)
		truth(w, &r.Readings[i].InName)
	}
}

// operation is what is told of a row. Its effect is not.
func operation(w *wire, o *scopes.Operation) *scopes.Operation {
	known := o != nil
	if truth(w, &known); !known {
		return nil
	}
	if w.reading {
		o = new(scopes.Operation)
	}
	text(w, &o.Method)
	text(w, &o.Template)
	text(w, &o.Name)
	texts(w, &o.AnyOf)
	number(w, &o.Access)
	text(w, &o.Evidence)
	truth(w, &o.Optional)
	text(w, &o.Source)
	return o
}

func caller(w *wire, c *audit.Caller) {
	known := c.TraceID.IsValid()
	if truth(w, &known); known {
		fixed(w, c.TraceID[:])
		fixed(w, c.SpanID[:])
		number(w, &c.Flags)
	}
}
