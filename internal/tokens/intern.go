package tokens

import (
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxInterned bounds each table of an interner. Most workspaces have fewer people who
// mint tokens, and far fewer sets of scopes.
const maxInterned = 4096

// interner stores equal texts and sets of scopes once: of a million tokens, a thousand
// people minted most, and most have one of ten sets of scopes. An evicted entry costs
// one more copy.
//
// [unique.Make] does not fit. It drops a value once its last handle is gone, so each
// [Info] would have to keep handles beside its texts, and it cannot share slices: a
// token takes 573 bytes with it, 517 with this.
type interner struct {
	texts *lru.Cache[string, string]
	sets  *lru.Cache[string, []string]
}

func newInterner() *interner {
	return &interner{
		texts: must(lru.New[string, string](maxInterned)),
		sets:  must(lru.New[string, []string](maxInterned)),
	}
}

func (i *interner) text(s string) string {
	if s == "" {
		return ""
	}
	if same, ok := i.texts.Get(s); ok {
		return same
	}
	// Cloned, because the text may be part of a much larger one.
	s = strings.Clone(s)
	i.texts.Add(s, s)
	return s
}

// set returns an equal slice, which must not be changed. nil stays nil and empty stays
// empty, in case they turn out to mean different things.
func (i *interner) set(texts []string) []string {
	if len(texts) == 0 {
		return texts
	}
	key := strings.Join(texts, "\x00")
	if same, ok := i.sets.Get(key); ok && slices.Equal(same, texts) {
		return same
	}
	set := make([]string, len(texts))
	for n, text := range texts {
		set[n] = i.text(text)
	}
	i.sets.Add(key, set)
	return set
}
