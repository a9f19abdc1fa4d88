package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

var (
	// ErrForeign says that a value was sealed with none of the keys.
	ErrForeign = errors.New("it was sealed with another key")
	// ErrCorrupt says that a value was changed, or sealed for another place.
	ErrCorrupt = errors.New("it was changed, or belongs elsewhere")
)

const (
	version = 1
	// head is the version, the id of the key and the nonce.
	head = 1 + 4 + nonceSize

	nonceSize = 12
	nameSize  = 16 // bytes of an HMAC that are used
)

// Names returns what stands for something in names, one for each key. Without a key, it can
// neither be guessed from what it stands for nor the other way around.
func (k *Keys) Names(label string, of []byte) []string {
	names := make([]string, len(k.all))
	for i := range k.all {
		mac := hmac.New(sha256.New, k.all[i].name)
		mac.Write(frame([]byte(label), of))
		names[i] = hex.EncodeToString(mac.Sum(nil)[:nameSize])
	}
	return names
}

// Seal encrypts and authenticates a value for the place that a name and more stand for.
func (k *Keys) Seal(name string, more, plain []byte) []byte {
	first := &k.all[0]
	sealed := make([]byte, head, head+len(plain)+16)
	sealed[0] = version
	binary.BigEndian.PutUint32(sealed[1:], first.id)
	_, _ = rand.Read(sealed[5:head]) // it never fails
	return first.aead().Seal(sealed, sealed[5:head], plain, frame(sealed[:5], []byte(name), more))
}

// Open opens what Seal sealed for the same place. The error is [ErrForeign] or [ErrCorrupt].
func (k *Keys) Open(name string, more, sealed []byte) ([]byte, error) {
	if len(sealed) < head || sealed[0] != version {
		return nil, ErrCorrupt
	}
	id := binary.BigEndian.Uint32(sealed[1:])
	for i := range k.all {
		if k.all[i].id != id {
			continue
		}
		plain, err := k.all[i].aead().Open(nil, sealed[5:head], sealed[head:], frame(sealed[:5], []byte(name), more))
		if err != nil {
			return nil, ErrCorrupt
		}
		return plain, nil
	}
	return nil, ErrForeign
}

// Kind is what an observer is told of something that cannot be opened: foreign, or corrupt, as is
// what could be opened and makes no sense, for which err is nil.
func Kind(err error) string {
	if errors.Is(err, ErrForeign) {
		return "foreign"
	}
	return "corrupt"
}

func (k *key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.value)
	if err != nil {
		panic("seal: " + err.Error()) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error()) // the block cipher is AES
	}
	return aead
}

// frame joins parts so that different parts never look the same.
func frame(parts ...[]byte) []byte {
	var framed []byte
	for _, part := range parts {
		framed = binary.AppendUvarint(framed, uint64(len(part)))
		framed = append(framed, part...)
	}
	return framed
}
