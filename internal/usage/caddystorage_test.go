package usage

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/certmagic"
)

// TestCaddyStorageList lists a folder of Caddy's file storage while a file in it is
// replaced again and again.
func TestCaddyStorageList(t *testing.T) {
	t.Parallel()
	store := CaddyStorage(&certmagic.FileStorage{Path: t.TempDir()})
	if keys, err := store.List(t.Context(), prefix); err != nil || len(keys) != 0 {
		t.Fatalf("before the first save: %v, %v", keys, err)
	}
	save := func(key string) {
		if err := store.Save(t.Context(), key, []byte("{}")); err != nil {
			t.Error(err)
		}
	}
	for i := range 10 {
		save(fmt.Sprintf("%s/%d.json", prefix, i))
	}
	var done atomic.Bool
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for !done.Load() {
			save(prefix + "/0.json")
		}
	}()
	for range 100 {
		keys, err := store.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if key := fmt.Sprintf("%s/%d.json", prefix, i); !slices.Contains(keys, key) {
				t.Fatalf("%s is missing in %v", key, keys)
			}
		}
	}
	done.Store(true)
	<-finished
}
