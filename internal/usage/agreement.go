package usage

// Agreement compares Databricks' set with ours.
type Agreement struct {
	Scopes []string `json:"scopes"`
	// Agree means that the sets are the same. More lists scopes in Databricks' set
	// only, Less those in ours only.
	Agree bool     `json:"agree"`
	More  []string `json:"more"`
	Less  []string `json:"less"`
	// Covers means that Databricks' set permits all that was seen: the two then
	// differ in the choice between equivalent scopes, or in what each has seen.
	Covers bool `json:"covers"`
}

// Forecast is what happens when a running autoscope completes and narrows the
// token to its inferred scopes.
type Forecast struct {
	Scopes []string `json:"scopes"`
	// Known is false while Databricks has inferred nothing.
	Known bool `json:"known"`
	// Breaks are the operations that work today and would be refused.
	Breaks []Use `json:"breaks"`
}

// agreement compares Databricks' scopes with ours. It returns nil if there are none.
func agreement(theirs, ours []string, passed []Use) *Agreement {
	if len(theirs) == 0 {
		return nil
	}
	a := &Agreement{Scopes: without(theirs), More: without(theirs, ours...), Less: without(ours, theirs...)}
	a.Agree = len(a.More) == 0 && len(a.Less) == 0
	a.Covers = len(beyondOf(theirs, passed)) == 0
	return a
}

// beyondOf returns the operations that a set of scopes does not permit.
func beyondOf(held []string, uses []Use) (beyond []Use) {
	for _, u := range uses {
		if !u.Operation.Permits(held) {
			beyond = append(beyond, u)
		}
	}
	return beyond
}
