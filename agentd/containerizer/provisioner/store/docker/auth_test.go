package docker

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
)

func TestParseCredentials(t *testing.T) {
	tests := map[string]string{
		"today's":   `{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"}, "quay.io": {"username": "me", "password": "secret"}}, "HttpHeaders": {"User-Agent": "x"}}`,
		"dockercfg": `{"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0", "email": "me@example.com"}, "https://quay.io": {"auth": "bWU6c2VjcmV0"}}`,
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := ParseCredentials([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"quay.io", "registry-1.docker.io", "index.docker.io"} {
				got, err := authn.Authorization(t.Context(), authenticator(endpoint{"https", host}, nil, c))
				if err != nil || got.Username != "me" || got.Password != "secret" {
					t.Errorf("%s: %+v, %v", host, got, err)
				}
			}
			for _, host := range []string{"quay.io:5000", "example.com"} {
				if a := authenticator(endpoint{"https", host}, c); a != authn.Anonymous {
					t.Errorf("%s gets credentials of another registry", host)
				}
			}
		})
	}
}

// A configuration is a secret: no error cites it.
func TestParseCredentialsKeepsSecrets(t *testing.T) {
	for _, config := range []string{`{"auths": "hunter2"}`, `hunter2`, `{"auths": {"x": "hunter2"}}`, `{"auths": {"x": {"auth": "hunter2"}}}`} {
		_, err := ParseCredentials([]byte(config))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestAuthority(t *testing.T) {
	for in, want := range map[string]string{
		"https://quay.io/v1/": "quay.io", "http://quay.io/v1/": "quay.io", "quay.io": "quay.io", "quay.io/v1/": "quay.io",
		"https://localhost:8000/v1/": "localhost:8000", "localhost:8000": "localhost:8000", "": "",
	} {
		if got := authority(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(`{"auths": {"a": {"auth": "bWU6c2VjcmV0"}}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if c, err := ParseCredentials(data); err == nil {
			c.lookup(endpoint{"https", "registry-1.docker.io"})
		}
	})
}
