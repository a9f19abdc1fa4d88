package store

import "github.com/scopegate/scopegate/internal/fleet/redis"

// Whoever can write to the store can make a value as large as the server allows. The server is
// asked to keep those back: a gateway that read them would spend its memory and its patience on
// what it will never believe.

// readBounded is MGET, with the length in place of a value that is longer than its argument. It
// deletes such a value, so that it costs the server one reading. It is sent as text: that is
// short, and a question with many parts stays one.
const readBounded = `local v=redis.call('MGET',unpack(KEYS)) ` +
	`for i,x in ipairs(v) do if x and #x>tonumber(ARGV[1]) then v[i]=#x redis.pcall('DEL',KEYS[i]) end end return v`

// bounded reads keys of which none should have more than a number of bytes, and removes those
// that have. Read its result with [valueOf].
func bounded(most int, keys ...string) redis.Command {
	return redis.Cmd("EVAL", readBounded, len(keys), keys, most)
}

// valueOf returns a value that [bounded] read, whether there is one, and whether it was kept
// back.
func valueOf(reply redis.Reply) (value []byte, ok, tooLarge bool) {
	if reply.IsInt() {
		return nil, false, true
	}
	value, err := reply.Bytes()
	return value, err == nil, false
}

// maxHash bounds what is read of a hash in one go, in bytes.
const maxHash = 32 << 20

// readHash is HGETALL, after the number of fields that it removed because they are longer than
// the second argument. Of more fields than the first one it deletes all, and returns their
// number: who writes them does so again, and nobody can tell them from others without reading
// them. The third argument bounds what it returns in all.
const readHash = `local n=redis.call('HLEN',KEYS[1]) if n>tonumber(ARGV[1]) then redis.call('DEL',KEYS[1]) return {n} end ` +
	`local all,kept,room=redis.call('HGETALL',KEYS[1]),{0},tonumber(ARGV[3]) ` +
	`for i=1,#all,2 do local size=#all[i]+#all[i+1] ` +
	`if size>tonumber(ARGV[2]) then redis.call('HDEL',KEYS[1],all[i]) kept[1]=kept[1]+1 ` +
	`elseif size<=room then room=room-size kept[#kept+1]=all[i] kept[#kept+1]=all[i+1] end end return kept`

// boundedHash reads a hash, which should have no more than a number of fields, and none of more
// than a number of bytes. Read its result with [fieldsOf].
func boundedHash(fields, most int, key string) redis.Command {
	return redis.Cmd("EVAL", readHash, 1, key, fields, most, maxHash)
}

// fieldsOf returns the fields that [boundedHash] read, and how many it removed.
func fieldsOf(result redis.Reply) (fields map[string]string, removed int, err error) {
	values, err := result.Array()
	if err != nil || len(values) == 0 {
		return nil, 0, err
	}
	n, err := values[0].Int()
	if err != nil {
		return nil, 0, err
	}
	fields = make(map[string]string, len(values)/2)
	for i := 1; i+1 < len(values); i += 2 {
		name, err := values[i].Text()
		if err != nil {
			return nil, 0, err
		}
		if fields[name], err = values[i+1].Text(); err != nil {
			return nil, 0, err
		}
	}
	return fields, int(n), nil
}
