package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Seen is what a gateway saw of the tokens of a workspace, with what becomes of each operation
// by the rules in force. It is what other rules are compared with elsewhere.
type Seen struct {
	Workspace string    `json:"workspace"`
	At        time.Time `json:"at"`
	// Since is when recording began.
	Since time.Time `json:"since,omitzero"`
	// Handlers is how many handlers the gateway has for the workspace. A call passes if any
	// of them lets it pass.
	Handlers int `json:"handlers"`
	// Catalogs are the versions of their maps.
	Catalogs []string    `json:"catalogs"`
	Tokens   []SeenToken `json:"tokens"`
	// Learned is what the workspace was seen to accept, as far as it matters for Tokens.
	Learned []Learned      `json:"learned,omitempty"`
	Cut     usage.Cut      `json:"cut,omitzero"`
	Unread  []usage.Unread `json:"unread,omitempty"`
}

// SeenToken is what one token was seen to do, and what is known of it.
type SeenToken struct {
	usage.Token
	// Facts are nil if the workspace no longer lists the token.
	Facts *Facts `json:"facts,omitempty"`
	// Verdicts has for each of the operations what becomes of it with each of [Methods], nil
	// where requests cannot name it.
	Verdicts [][]*Verdict `json:"verdicts,omitempty"`
}

// Facts are what rules can ask of a token.
type Facts struct {
	OwnerID   int64  `json:"owner_id,omitempty"`
	Owner     string `json:"owner,omitempty"`
	CreatorID int64  `json:"creator_id,omitempty"`
	Creator   string `json:"creator,omitempty"`
	Comment   string `json:"comment,omitempty"`
	// CommentHidden means that the comment is not all of it: it has what looks like a secret.
	CommentHidden bool      `json:"comment_hidden,omitempty"`
	Scopes        []string  `json:"scopes"`
	Created       time.Time `json:"created,omitzero"`
	Expires       time.Time `json:"expires,omitzero"`
	NeverExpires  bool      `json:"never_expires,omitempty"`
}

// Learned is an operation that the workspace was seen to accept with scopes that its row does
// not list.
type Learned struct {
	Operation string   `json:"operation"`
	Held      []string `json:"held"`
}

// SeenInput is what a [Seen] is made of.
type SeenInput struct {
	Workspace string
	// Judges are those of the workspace's handlers.
	Judges []*judge.Judge
	Usage  usage.State
	Tokens []*tokens.Info
	Owner  func(*tokens.Info) tokens.Principal
	At     time.Time
}

// NewSeen returns what a gateway saw.
func NewSeen(in SeenInput) Seen {
	seen := Seen{Workspace: in.Workspace, At: in.At, Since: in.Usage.Since, Handlers: len(in.Judges), Tokens: []SeenToken{}, Cut: in.Usage.Cut, Unread: in.Usage.Unread}
	infos := make(map[string]*tokens.Info, len(in.Tokens))
	for _, info := range in.Tokens {
		infos[info.ID.String()] = info
	}
	// Now alone: each call as any of the handlers decides it.
	c := comparison{Input: Input{Now: in.Judges, Owner: in.Owner, At: in.At}}
	for _, by := range in.Judges {
		if version := by.Catalog.Version(); !slices.Contains(seen.Catalogs, version) {
			seen.Catalogs = append(seen.Catalogs, version)
		}
	}
	learned := make(map[string]bool)
	for i := range in.Usage.Tokens {
		token := SeenToken{Token: in.Usage.Tokens[i]}
		if info := infos[token.ID]; info != nil {
			subject := policy.Subject{Info: info, Owner: c.owner(info)}
			token.Facts = factsOf(subject)
			for k := range token.Uses {
				use := &token.Uses[k]
				var verdicts []*Verdict
				for _, method := range Methods(&use.Operation) {
					verdict, known := c.anyOf(subject, method, use)
					if !known {
						verdicts = append(verdicts, nil)
						continue
					}
					verdicts = append(verdicts, &verdict)
					seen.learn(&c, subject, method, use, learned)
				}
				token.Verdicts = append(token.Verdicts, verdicts)
			}
		}
		seen.Tokens = append(seen.Tokens, token)
	}
	return seen
}

// learn adds what the workspace was seen to accept of an operation.
func (s *Seen) learn(c *comparison, subject policy.Subject, method string, use *usage.Use, done map[string]bool) {
	for _, by := range c.Now {
		if by.Rules.Learned == nil {
			continue
		}
		held := policy.Held(subject.Info, by.Rules)
		readings := c.Readings(by.Catalog, method, use.Operation.Template)
		for i := range readings {
			o := readings[i].Operation
			key := learnedKey(o, held)
			if !done[key] && !policy.Permits(o, subject.Info, held) && by.Rules.Learned.Permits(o, held) {
				done[key] = true
				s.Learned = append(s.Learned, Learned{o.Name, held})
			}
		}
	}
}

func learnedKey(o *scopes.Operation, held []string) string {
	return o.Name + " " + strings.Join(held, ",")
}

// learnedHere is what a gateway said that the workspace was seen to accept.
type learnedHere map[string]bool

// Permits implements [policy.Learned].
func (l learnedHere) Permits(o *scopes.Operation, held []string) bool { return l[learnedKey(o, held)] }

// LearnedRules returns what the workspace was seen to accept, for rules that let it count.
func (s *Seen) LearnedRules() policy.Learned {
	all := make(learnedHere)
	for _, l := range s.Learned {
		all[learnedKey(&scopes.Operation{Name: l.Operation}, l.Held)] = true
	}
	return all
}

func factsOf(subject policy.Subject) *Facts {
	info := subject.Info
	f := &Facts{Comment: info.Comment, Scopes: info.Scopes, Created: info.Created, NeverExpires: info.Expires.Never()}
	f.OwnerID, _ = subject.Owner.ID()
	f.Owner, _ = subject.Owner.Name()
	f.CreatorID, _ = info.Creator.ID()
	f.Creator, _ = info.Creator.Name()
	f.Expires, _ = info.Expires.At()
	f.CommentHidden = sanitize.Text(f.Comment, sanitize.MaxText) != f.Comment
	if f.Scopes == nil {
		f.Scopes = []string{}
	}
	return f
}

// info returns the token. It is an error if it is none.
func (t *SeenToken) info() (*tokens.Info, error) {
	id, err := tokens.ParseID(t.ID)
	if err != nil {
		return nil, err
	}
	f := t.Facts
	info := &tokens.Info{
		ID: id, Owner: tokens.NewPrincipal(f.OwnerID, f.Owner), Creator: tokens.NewPrincipal(f.CreatorID, f.Creator),
		Comment: f.Comment, Scopes: f.Scopes, Created: f.Created, Expires: tokens.ExpiresAt(f.Expires),
	}
	if f.NeverExpires {
		info.Expires = tokens.NeverExpires
	}
	return info, nil
}

// Input returns what was seen as the input of [Usage], without the judges to judge by. Notes
// say what is not known of tokens.
func (s *Seen) Input() (in Input, notes []string, err error) {
	in = Input{At: s.At, Usage: usage.State{Since: s.Since, Cut: s.Cut, Unread: s.Unread}, hidden: make(map[tokens.ID]bool), versions: s.Catalogs}
	today := make(map[*usage.Use][]*Verdict)
	nameless := make(map[int64]bool)
	for i := range s.Tokens {
		t := &s.Tokens[i]
		in.Usage.Tokens = append(in.Usage.Tokens, t.Token)
		if t.Facts == nil {
			continue
		}
		info, err := t.info()
		if err != nil {
			return Input{}, nil, err
		}
		in.Tokens = append(in.Tokens, info)
		if t.Facts.CommentHidden {
			in.hidden[info.ID] = true
		}
		if t.Facts.Owner == "" && t.Facts.OwnerID != 0 {
			nameless[t.Facts.OwnerID] = true
		}
		for k := range min(len(t.Uses), len(t.Verdicts)) {
			today[&t.Uses[k]] = t.Verdicts[k] // the same uses as in.Usage
		}
	}
	in.Today = func(_ *tokens.Info, method string, use *usage.Use) (Verdict, bool) {
		verdicts := today[use]
		i := slices.Index(Methods(&use.Operation), method)
		if i < 0 || i >= len(verdicts) || verdicts[i] == nil {
			return Verdict{}, false
		}
		return *verdicts[i], true
	}
	if n := len(nameless); n > 0 {
		notes = append(notes, fmt.Sprintf("the names of %d owners are not known yet, so policies that match owners by name apply to them; run the command again in a minute", n))
	}
	if n := len(in.hidden); n > 0 {
		notes = append(notes, fmt.Sprintf("%d comments have what looks like a secret, so policies that match comments apply to their tokens", n))
	}
	if s.Handlers > 1 {
		notes = append(notes, fmt.Sprintf("the gateway has %d handlers for this workspace; a call passes today if any of them lets it pass", s.Handlers))
	}
	return in, notes, nil
}
