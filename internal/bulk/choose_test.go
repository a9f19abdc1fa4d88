package bulk

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	own := tokens.IDOf("own")
	plan := &usage.Plan{Own: tokens.IDOf("gateway").String()}
	for i, name := range []string{"a", "own", "gateway", "nobody's", "b"} {
		row := planRow(name, nil, nil)
		row.OwnerID = int64(i + 1)
		if name == "nobody's" {
			row.OwnerID = 0
		}
		plan.Rows = append(plan.Rows, row)
	}
	for _, test := range []struct {
		name            string
		left            func(context.Context, int64) (string, bool, error)
		chosen, skipped string
		fails           bool
	}{
		{"by filters alone", nil, "a nobody's b", "own: this command signs in with it gateway: the gateway signs in with it", false},
		{"who left", func(_ context.Context, id int64) (string, bool, error) { return "gone", id == 1, nil }, "a (gone)", "own: this command signs in with it gateway: the gateway signs in with it nobody's: the workspace does not say who owns it", false},
		{"not known who left", func(_ context.Context, id int64) (string, bool, error) { return "", false, errors.New("SCIM is down") }, "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := Revocation{Left: test.left, Own: &own}
			targets, skipped, err := v.Choose(t.Context(), plan)
			var chosen, others []string
			for _, target := range targets {
				text := target.Comment
				if target.Why != "" {
					text += " (" + target.Why + ")"
				}
				chosen = append(chosen, text)
			}
			for _, one := range skipped {
				others = append(others, one.Comment+": "+one.Problem)
			}
			if strings.Join(chosen, " ") != test.chosen || strings.Join(others, " ") != test.skipped || (err != nil) != test.fails {
				t.Errorf("%q, %q, %v", chosen, others, err)
			}
		})
	}
}
