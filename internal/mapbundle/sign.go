package mapbundle

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
)

// Sign adds the line with the signature to an unsigned bundle.
func Sign(unsigned []byte, key PrivateKey) ([]byte, error) {
	if err := checkFormat(unsigned); err != nil {
		return nil, err
	}
	if _, _, err := split(unsigned); err == nil {
		return nil, errors.New("it is signed already")
	}
	if !bytes.HasSuffix(unsigned, []byte("\n")) {
		return nil, errors.New("its last line does not end: it is cut off")
	}
	signature := ed25519.Sign(ed25519.PrivateKey(key), unsigned)
	return append(bytes.Clone(unsigned), signatureHeader+base64.StdEncoding.EncodeToString(signature)+"\n"...), nil
}

// verify returns the bytes that were signed, once one of the keys has verified them.
func verify(content []byte, keys []PublicKey) ([]byte, error) {
	if err := checkFormat(content); err != nil {
		return nil, err
	}
	signed, signature, err := split(content)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if ed25519.Verify(ed25519.PublicKey(key), signed, signature) {
			return signed, nil
		}
	}
	return nil, ErrSignature
}

// split returns the bytes that were signed, and the signature. The line with the signature
// is the last one, and has one form only: nothing can be added to a signed bundle.
func split(content []byte) (signed, signature []byte, err error) {
	body, ended := bytes.CutSuffix(content, []byte("\n"))
	i := bytes.LastIndexByte(body, '\n') + 1
	text, ok := bytes.CutPrefix(body[i:], []byte(signatureHeader))
	if !ended || !ok || i == 0 {
		return nil, nil, ErrUnsigned
	}
	signature, err = base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(signature) != ed25519.SignatureSize || bytes.ContainsRune(text, '\r') {
		return nil, nil, errors.New("its last line is not a whole Ed25519 signature: copy the file again")
	}
	return content[:i], signature, nil
}
