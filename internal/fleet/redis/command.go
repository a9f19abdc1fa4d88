package redis

import redigo "github.com/gomodule/redigo/redis"

// Command is a command with its arguments. Nothing in it may be changed once it is sent: it is
// written in the background.
type Command struct {
	name      string
	arguments []any
}

// Cmd returns a command, such as Cmd("SET", key, value, "NX"). Arguments are strings, bytes and
// integers, and lists of strings, of which each is an argument.
func Cmd(name string, arguments ...any) Command {
	c := Command{name: name, arguments: make([]any, 0, len(arguments))}
	for _, argument := range arguments {
		list, ok := argument.([]string)
		if !ok {
			c.arguments = append(c.arguments, argument)
			continue
		}
		for _, one := range list {
			c.arguments = append(c.arguments, one)
		}
	}
	return c
}

// Script is a script that the server is sent once, and that is called by its hash from then on.
type Script struct{ text, hash string }

// NewScript returns a script of a text.
func NewScript(text string) *Script {
	return &Script{text: text, hash: redigo.NewScript(-1, text).Hash()}
}

// byHash and byText return the commands that call the script.
func (s *Script) byHash(keys, args []string) Command {
	return Cmd("EVALSHA", s.hash, len(keys), keys, args)
}

func (s *Script) byText(keys, args []string) Command {
	return Cmd("EVAL", s.text, len(keys), keys, args)
}
