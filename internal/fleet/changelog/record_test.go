package changelog

import (
	"context"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// TestRecords: what is no list of entries is refused, and never read as something else.
func TestRecords(t *testing.T) {
	t.Parallel()
	conn := redis.Open(redis.Options{Addresses: []string{redistest.Start(t).Addr}})
	t.Cleanup(conn.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, test := range []struct {
		name, lua string
		records   int
		ok        bool
	}{
		{"an entry", `{{'1-1', {'c', 'x', 'd', 'y'}}}`, 1, true},
		{"none", `{}`, 0, true},
		{"one that was deleted", `{{'1-1', false}}`, 1, true},
		{"a text", `'x'`, 0, false},
		{"nil", `false`, 0, false},
		{"an error", `redis.error_reply('OOM')`, 0, false},
		{"an entry that is a text", `{'1-1'}`, 0, false},
		{"an id that is a number", `{{1, {'c', 'x'}}}`, 0, false},
		{"an id alone", `{{'1-1'}}`, 0, false},
		{"fields that are a text", `{{'1-1', 'c'}}`, 0, false},
		{"half a field", `{{'1-1', {'c'}}}`, 0, false},
		{"a value that is a list", `{{'1-1', {'c', {}}}}`, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := conn.AwaitUp(ctx); err != nil {
				t.Fatal(err)
			}
			replies, err := conn.Long(ctx, "", redis.Cmd("EVAL", "return "+test.lua, 0))
			if err != nil {
				t.Fatal(err)
			}
			records, err := recordsOf(replies[0])
			if (err == nil) != test.ok || len(records) != test.records {
				t.Errorf("%v, %v", records, err)
			}
			for _, r := range records {
				if value, there := r.fields["c"]; r.id != "1-1" || there && value != "x" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}
