package cram

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Mechanism is the name of CRAM-MD5 in SASL.
const Mechanism = "CRAM-MD5"

// maxResponse bounds what a client may answer: a principal and 33 characters.
const maxResponse = 1 << 10

// errProtocol: what a client sent is no response.
var errProtocol = errors.New("the response is not of the form 'principal digest'")

// newChallenge makes a text that no exchange had before.
func newChallenge(host string, now time.Time) string {
	var random [16]byte
	rand.Read(random[:]) // never fails: it ends the process instead
	return "<" + hex.EncodeToString(random[:]) + "." + strconv.FormatInt(now.Unix(), 10) + "@" + host + ">"
}

// respond is a client's answer to a challenge.
func respond(principal, secret, challenge string) string {
	return principal + " " + hex.EncodeToString(digest(secret, challenge))
}

func digest(secret, challenge string) []byte {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write([]byte(challenge))
	return mac.Sum(nil)
}

// parseResponse takes a response apart. A principal may contain spaces.
func parseResponse(data []byte) (principal string, sum []byte, err error) {
	if len(data) > maxResponse {
		return "", nil, errProtocol
	}
	i := strings.LastIndexByte(string(data), ' ')
	if i <= 0 {
		return "", nil, errProtocol
	}
	sum, err = hex.DecodeString(string(data[i+1:]))
	if err != nil || len(sum) != md5.Size {
		return "", nil, errProtocol
	}
	return string(data[:i]), sum, nil
}

// secrets knows the secret of a principal.
type secrets interface {
	Secret(principal string) (secret string, known bool)
}

// verify returns the principal that made a response, and whether it knows its
// secret. A principal without a secret can't authenticate this way.
func verify(s secrets, challenge string, data []byte) (principal string, ok bool, err error) {
	principal, sum, err := parseResponse(data)
	if err != nil {
		return "", false, err
	}
	secret, known := s.Secret(principal)
	same := hmac.Equal(sum, digest(secret, challenge))
	return principal, same && known && secret != "", nil
}
