package tokens

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/scopegate/scopegate/internal/strictjson"
)

// Faulty is a token of which a list says nothing that can be used.
type Faulty struct {
	ID  ID
	Err *UnavailableError
}

// readList reads the list of all tokens. What is wrong with one token concerns that token
// alone: one that its owner finds a way to make odd must not hide all others. What leaves
// open whose facts they are, and so which tokens the list has, spoils the list.
//
// It decodes one token after another, because encoding/json does not tell which element
// of a list is wrong.
func readList(body []byte, in *interner) ([]*Info, []Faulty, error) {
	if !strictjson.Valid(body) {
		return nil, nil, &UnavailableError{Outage: BadAnswer, Err: errors.New("it is not JSON")}
	}
	entries, err := listEntries(body)
	if err != nil {
		return nil, nil, err
	}
	r := listReader{in: in, seen: make(map[ID]int)}
	for entry := range strictjson.Elements(entries) {
		if err := r.add(entry); err != nil {
			return nil, nil, err
		}
	}
	return slices.DeleteFunc(r.list, func(info *Info) bool { return info == nil }), r.faulty, nil
}

// listEntries returns the list within an answer, nil if there is none: a workspace
// without tokens may leave it out.
func listEntries(body []byte) (list []byte, err error) {
	if strictjson.Kind(body) != '{' {
		return nil, unusable(WrongType, "it is not an object")
	}
	if strictjson.UniqueNames(body) != nil {
		return nil, unusable(DuplicateName, "two members of an object have the same name")
	}
	for name, value := range strictjson.Members(body) {
		if !strictjson.SameName(name, "token_infos") {
			continue
		}
		if list = value; strictjson.Kind(value) != '[' {
			return nil, unusable(WrongType, "token_infos is not of type list")
		}
	}
	return list, nil
}

// listReader collects the tokens of a list.
type listReader struct {
	in     *interner
	list   []*Info // nil where a later entry contradicts
	faulty []Faulty
	seen   map[ID]int // where each token is in list, -1 if it is faulty
}

// add reads one entry. Its error spoils the list.
func (r *listReader) add(entry []byte) error {
	id, err := entryID(entry)
	if err != nil {
		return err
	}
	var answer tokenAnswer
	err = decode(entry, &answer)
	var info *Info
	if err == nil {
		facts, odd := answer.check()
		if err = odd; err == nil {
			info = newInfo(id, facts, r.in)
		}
	}
	at, again := r.seen[id]
	switch {
	case again && at < 0, again && info != nil && reflect.DeepEqual(r.list[at], info):
		return nil
	case again:
		r.list[at] = nil
		err = unusable(Contradiction, "the list says different things of one token")
	case info != nil:
		r.seen[id] = len(r.list)
		r.list = append(r.list, info)
		return nil
	}
	r.seen[id] = -1
	r.faulty = append(r.faulty, Faulty{id, asOutage(err)})
	return nil
}

// entryID returns whose facts an entry has.
func entryID(entry []byte) (id ID, err error) {
	found := 0
	for name, value := range strictjson.Members(entry) {
		if !strictjson.SameName(name, "token_id") {
			continue
		}
		var text string
		if found++; json.Unmarshal(value, &text) == nil {
			id, err = ParseID(text)
		} else {
			err = errors.New("not a text")
		}
	}
	switch {
	case found == 0:
		return id, unusable(MissingFacts, "a listed token has no token_id")
	case found > 1:
		return id, unusable(DuplicateName, "a listed token has two of token_id")
	case err != nil:
		return id, unusable(MissingFacts, "a listed token_id is not a SHA-256")
	}
	return id, nil
}
