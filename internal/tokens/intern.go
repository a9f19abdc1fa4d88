package tokens

import (
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxInterned bounds each table of an interner. Most workspaces have fewer
// people who mint tokens, and far fewer sets of scopes.
const maxInterned = 4096

// interner makes the texts that many tokens have in common one in memory: of a
// million tokens a thousand people minted, most have one of ten sets of scopes.
// What it has forgotten is held again at most once more, and is never wrong.
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
	// A copy: the text may be part of a much larger one.
	s = strings.Clone(s)
	i.texts.Add(s, s)
	return s
}

// set returns an equal slice that no one may change. nil stays nil and empty
// stays empty, in case that they turn out to mean different things.
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
