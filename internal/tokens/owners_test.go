package tokens

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	user := workspace.AddUser("etl@example.com", false)
	robot := workspace.AddServicePrincipal("robot", false)
	owners := NewOwners(workspace.URL(), m2m(workspace), 5*time.Second)
	t.Cleanup(owners.Close)
	await := func(id int64, want string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			got := nameOf(owners, id)
			if got == want {
				return
			}
			if got != "" || time.Now().After(deadline) {
				t.Fatalf("owner %d is called %q, want %q", id, got, want)
			}
		}
	}
	if got := nameOf(owners, user); got != "" {
		t.Errorf("a name was known before it was looked up: %q", got)
	}
	await(user, "etl@example.com")
	await(robot.ID, robot.ApplicationID)

	asked := workspace.Counts().Requests
	for range 100 {
		nameOf(owners, user)
		nameOf(owners, 0)
	}
	if got := workspace.Counts().Requests; got != asked {
		t.Errorf("%d requests for known names", got-asked)
	}
}

func nameOf(o *Owners, id int64) string {
	name, _ := o.Complete(NewPrincipal(id, "")).Name()
	return name
}

func TestOwnersInAnOutage(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	user := workspace.AddUser("etl@example.com", false)
	c := newClock()
	source := &scimSource{workspace: workspace.URL(), admin: m2m(workspace), timeout: 5 * time.Second, transport: NewTransport(5 * time.Second)}
	owners := newOwners(source.owner, source.transport.Close, c.Now)
	t.Cleanup(owners.Close)
	fault := workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.InternalError())
	nameOf(owners, user)
	for deadline := time.Now().Add(30 * time.Second); fault.Hits() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no request was made")
		}
	}
	for range 10 {
		if got := nameOf(owners, user); got != "" {
			t.Fatalf("a name during an outage: %q", got)
		}
	}
	workspace.Faults().Clear()
	for deadline := time.Now().Add(30 * time.Second); nameOf(owners, user) != "etl@example.com"; time.Sleep(5 * time.Millisecond) {
		c.advance(ownerRetry)
		if time.Now().After(deadline) {
			t.Fatal("no recovery")
		}
	}
	if hits := fault.Hits(); hits > 2 {
		t.Errorf("%d requests in the outage", hits)
	}
}

// TestOwnerAnswers: a name is believed only if the answer is about the owner who was
// asked for, and has one name that people cannot take for another.
func TestOwnerAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, answer, want string }{
		{"the owner", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "42", "userName": "bob@x.com"}`, "bob@x.com"},
		{"spelled oddly", `{"id": "42", "userName": " BOB@x.com"}`, "bob@x.com"},
		{"another id", `{"id": "43", "userName": "alice@x.com"}`, ""},
		{"an id that is no text", `{"id": 42, "userName": "alice@x.com"}`, ""},
		{"an id that equals it as a number", `{"id": "042", "userName": "alice@x.com"}`, ""},
		{"no id", `{"userName": "alice@x.com"}`, ""},
		{"no name", `{"id": "42"}`, ""},
		{"a name that is null", `{"id": "42", "userName": null}`, ""},
		{"a name that is a list", `{"id": "42", "userName": ["alice@x.com"]}`, ""},
		{"two names", `{"id": "42", "userName": "bob@x.com", "userName": "alice@x.com"}`, ""},
		{"two names in two cases", `{"id": "42", "userName": "bob@x.com", "username": "alice@x.com"}`, ""},
		{"two ids", `{"id": "43", "id": "42", "userName": "alice@x.com"}`, ""},
		{"an escaped duplicate", `{"id": "42", "userName": "bob@x.com", "user\u004eame": "alice@x.com"}`, ""},
		{"two objects", `{"id": "42", "userName": "bob@x.com"}{}`, ""},
		{"a list", `{"Resources": [{"id": "42", "userName": "alice@x.com"}]}`, ""},
		{"an array", `[{"id": "42", "userName": "alice@x.com"}]`, ""},
		{"half a surrogate", `{"id": "42", "userName": "b\ud800ob@x.com"}`, ""},
		{"zero width", `{"id": "42", "userName": "b\u200bob@x.com"}`, ""},
		{"NUL", `{"id": "42", "userName": "bob\u0000@x.com"}`, ""},
		{"not UTF-8", "{\"id\": \"42\", \"userName\": \"b\xffob\"}", ""},
		{"no JSON", `<html>`, ""},
		{"nothing", ``, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			owner, err := readOwner([]byte(test.answer), 42, "userName")
			name, named := owner.NormalName()
			if name != test.want || named != (err == nil) || named != (test.want != "") {
				t.Errorf("got %q, %v", name, err)
			}
		})
	}
}

func FuzzReadOwner(f *testing.F) {
	f.Add([]byte(`{"id": "42", "userName": "bob@x.com"}`))
	f.Add([]byte(`{"id": "42", "userName": "bob@x.com", "userName": ""}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		owner, err := readOwner(answer, 42, "userName")
		if _, named := owner.Name(); named != (err == nil) {
			t.Errorf("%v, %v", owner, err)
		}
		if id, _ := owner.ID(); err == nil && id != 42 {
			t.Errorf("owner %d", id)
		}
	})
}

// TestOwnersForget: a name that was asked for before a user was changed is not believed,
// and one that was known is unknown until it was asked for again.
func TestOwnersForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan string)
		owners := newOwners(func(_ context.Context, id int64) (Principal, error) {
			return NewPrincipal(id, <-answers), nil
		}, func() {}, time.Now)
		defer owners.Close()
		tell := func(name string) {
			nameOf(owners, 42)
			answers <- name
			synctest.Wait()
		}
		tell("bob")
		if got := nameOf(owners, 42); got != "bob" {
			t.Fatalf("got %q", got)
		}
		for _, forget := range []func(){func() { owners.Forget(42) }, owners.ForgetAll} {
			forget()
			if got := nameOf(owners, 42); got != "" { // which asks again
				t.Errorf("the old name is known: %q", got)
			}
			time.Sleep(time.Second) // the limit on requests
			synctest.Wait()
			forget() // while that is in flight
			answers <- "the old name"
			synctest.Wait()
			if got := nameOf(owners, 42); got != "" {
				t.Errorf("a late answer is believed: %q", got)
			}
			tell("alice")
			if got := nameOf(owners, 42); got != "alice" {
				t.Errorf("got %q", got)
			}
		}
	})
}

// TestOwnersDoubt: a name that is doubted is used until there is an answer, and asked for at
// most once a minute, after those that are not known.
func TestOwnersDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		name, asked := "bob", make(map[int64]int)
		owners := newOwners(func(_ context.Context, id int64) (Principal, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[id]++
			return NewPrincipal(id, name), nil
		}, func() {}, time.Now)
		defer owners.Close()
		nameOf(owners, 42)
		time.Sleep(2 * time.Minute)
		mu.Lock()
		name = "alice"
		mu.Unlock()
		for range 30 {
			owners.Doubt()
			if got := nameOf(owners, 42); got == "" {
				t.Error("the name was forgotten")
			}
			time.Sleep(time.Second)
		}
		got := nameOf(owners, 42)
		mu.Lock()
		if got != "alice" || asked[42] != 2 {
			t.Errorf("%q after %d questions", got, asked[42])
		}
		mu.Unlock()
		nameOf(owners, 43)
		time.Sleep(2 * time.Second)
		if got := nameOf(owners, 43); got != "alice" {
			t.Errorf("an unknown name: %q", got)
		}
	})
}

// TestOwnersUnlearn: an outage keeps a name, and an answer that is no name does not.
func TestOwnersUnlearn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failure error
		owners := newOwners(func(_ context.Context, id int64) (Principal, error) {
			return NewPrincipal(id, "bob"), failure
		}, func() {}, time.Now)
		defer owners.Close()
		ask := func() string {
			nameOf(owners, 42)
			synctest.Wait()
			time.Sleep(time.Second) // the limit on requests
			synctest.Wait()
			return nameOf(owners, 42)
		}
		for _, step := range []struct {
			failure error
			want    string
		}{{nil, "bob"}, {errors.New("an outage"), "bob"}, {ErrNoName, ""}, {nil, "bob"}} {
			failure = step.failure
			if got := ask(); got != step.want {
				t.Errorf("%v: got %q, want %q", step.failure, got, step.want)
			}
			time.Sleep(ownerAge)
		}
	})
}

// TestNewOwnersFrom: names may come from elsewhere.
func TestNewOwnersFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		owner Principal
		err   error
		want  string
		asked int // within two minutes
	}{
		{"a name", NewPrincipal(7, "etl@example.com"), nil, "etl@example.com", 1},
		{"no such owner", Principal{}, ErrNoName, "7", 2},
		{"no answer", Principal{}, errors.New("no authority"), "7", 2},
		{"a name of another owner", NewPrincipal(8, "other@example.com"), nil, "7", 2},
		{"an answer without a name", NewPrincipal(7, ""), nil, "7", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked, closed := 0, 0
				o := NewOwnersFrom(func(_ context.Context, id int64) (Principal, error) {
					asked++
					return test.owner, test.err
				}, func() { closed++ })
				for range 4 {
					o.Complete(NewPrincipal(7, ""))
					time.Sleep(29 * time.Second)
				}
				if got := o.Complete(NewPrincipal(7, "")).String(); got != test.want {
					t.Errorf("it is %q", got)
				}
				o.Close()
				if asked != test.asked || closed != 1 {
					t.Errorf("asked %d times, closed %d times", asked, closed)
				}
			})
		})
	}
	NewOwnersFrom(func(context.Context, int64) (Principal, error) { return Principal{}, ErrNoName }, nil).Close()
}
