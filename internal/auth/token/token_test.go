package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

func newKey(t testing.TB, secret string) *Key {
	t.Helper()
	k, err := NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestExecutorToken(t *testing.T) {
	k := newKey(t, "key")
	text, err := k.Executor("f-0001", "e", "c")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := k.Verify(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"fid": "f-0001", "eid": "e", "cid": "c"}, claims); diff != "" {
		t.Error(diff)
	}
	if _, err := newKey(t, "another").Verify(text); !errors.Is(err, ErrInvalid) {
		t.Errorf("another key accepts it: %v", err)
	}
	if _, err := NewKey(nil); err == nil {
		t.Error("an empty key is accepted")
	}
}

func TestVerifyRefuses(t *testing.T) {
	k := newKey(t, "key")
	sign := func(method jwt.SigningMethod, claims jwt.MapClaims, key any) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := sign(jwt.SigningMethodHS256, jwt.MapClaims{"fid": "f"}, []byte("key"))
	parts := strings.Split(good, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"fid":"g"}`))
	for name, text := range map[string]string{
		"nothing":           "",
		"no token":          "abc",
		"two parts":         parts[0] + "." + parts[1],
		"other claims":      parts[0] + "." + forged + "." + parts[2],
		"no signature":      parts[0] + "." + parts[1] + ".",
		"algorithm none":    sign(jwt.SigningMethodNone, jwt.MapClaims{"fid": "f"}, jwt.UnsafeAllowNoneSignatureType),
		"another algorithm": sign(jwt.SigningMethodHS512, jwt.MapClaims{"fid": "f"}, []byte("key")),
		"over":              sign(jwt.SigningMethodHS256, jwt.MapClaims{"fid": "f", "exp": time.Now().Add(-time.Hour).Unix()}, []byte("key")),
		"too long":          strings.Repeat("x", maxLength+1),
	} {
		t.Run(name, func(t *testing.T) {
			if claims, err := k.Verify(text); !errors.Is(err, ErrInvalid) {
				t.Errorf("claims %v, error %v", claims, err)
			}
		})
	}
	if _, err := k.Verify(sign(jwt.SigningMethodHS256, jwt.MapClaims{}, []byte("key"))); !errors.Is(err, ErrNoClaims) {
		t.Errorf("no claims: %v", err)
	}
	claims, err := k.Verify(sign(jwt.SigningMethodHS256, jwt.MapClaims{"n": 12345678901234567, "l": []string{"x"}}, []byte("key")))
	if diff := cmp.Diff(map[string]string{"n": "12345678901234567", "l": `["x"]`}, claims); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func FuzzVerify(f *testing.F) {
	k := newKey(f, "key")
	good, err := k.Executor("f", "e", "c")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.eyJmaWQiOiJ4In0.")
	f.Add("eyJhbGciOiJIUzI1NiJ9.bm8.bm8")
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := k.Verify(text)
		if err == nil && claims["fid"] != "f" {
			t.Errorf("%q is accepted as %v", text, claims)
		}
	})
}
