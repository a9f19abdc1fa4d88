package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	redigo "github.com/gomodule/redigo/redis"
)

// maxReply limits what is shown of a server's error, in bytes.
const maxReply = 200

// kind returns the first word of a server's error, such as OOM, or "" if err is none. NOSCRIPT
// and that there is no such key are answers, not errors.
func kind(err error) string {
	refusal, ok := errors.AsType[redigo.Error](err)
	if !ok || isNoScript(refusal) || IsNoKey(refusal) {
		return ""
	}
	return firstWord(refusal.Error())
}

// isNoScript reports whether a server says that it does not know a script.
func isNoScript(err error) bool {
	refusal, ok := errors.AsType[redigo.Error](err)
	return ok && firstWord(refusal.Error()) == "NOSCRIPT"
}

// IsNoKey reports whether a server says that there is no such key.
func IsNoKey(err error) bool {
	refusal, ok := errors.AsType[redigo.Error](err)
	return ok && strings.Contains(refusal.Error(), "no such key")
}

// IsWrongType reports whether a server says that a key holds something of another type.
func IsWrongType(err error) bool { return kind(err) == "WRONGTYPE" }

// firstWord returns the code that a server's error begins with, and ERR if there is none.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if word == "" || len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "ERR"
	}
	return word
}

// unusable reports whether a server that answers so has to be left: another one may be the
// master by now, or it is not ready.
func unusable(kind string) bool {
	switch kind {
	case "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOAUTH", "WRONGPASS":
		return true
	}
	return false
}

func isAuth(err error) bool {
	k := kind(err)
	return k == "NOAUTH" || k == "WRONGPASS"
}

// describe returns err in words that can be shown: short, and without the password.
func describe(err error, password string) error {
	switch k := kind(err); {
	case k == "":
	case k == "WRONGPASS":
		return errors.New("server refuses the user name or the password (WRONGPASS)")
	case k == "NOAUTH":
		return errors.New("server wants a password (NOAUTH)")
	default:
		return fmt.Errorf("server says: %s", clean(err.Error(), password))
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("server does not answer in time")
	}
	if errors.Is(err, io.EOF) {
		return errors.New("server closed the connection (EOF)")
	}
	return err
}

// clean shortens a server's error and leaves out what it may quote.
func clean(text, password string) string {
	if password != "" { // before it could be cut in two
		text = strings.ReplaceAll(text, password, "…")
	}
	text, _, _ = strings.Cut(text, ", with args")
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxReply {
		text = strings.ToValidUTF8(text[:maxReply], "")
	}
	return text
}
