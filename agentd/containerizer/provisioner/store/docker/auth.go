package docker

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Credentials are those of a Docker configuration, by the URLs that it has them under.
type Credentials map[string]authn.AuthConfig

// ParseCredentials reads a Docker configuration: that of today, with "auths", or that of
// long ago, ~/.dockercfg, which had nothing else. Programs that keep credentials
// ("credHelpers", "credsStore") are not called.
func ParseCredentials(config []byte) (Credentials, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, fmt.Errorf("reading a Docker configuration: %w", withoutContents(err))
	}
	if auths, ok := fields["auths"]; ok {
		fields = nil
		if err := json.Unmarshal(auths, &fields); err != nil {
			return nil, fmt.Errorf("reading the auths of a Docker configuration: %w", withoutContents(err))
		}
	}
	out := Credentials{}
	for url, raw := range fields {
		var c authn.AuthConfig
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("reading the credentials of a Docker configuration for %s: %w", url, withoutContents(err))
		}
		out[url] = c
	}
	return out, nil
}

// withoutContents tells what is wrong with JSON without citing it: it is a secret.
func withoutContents(err error) error {
	switch e := err.(type) { //nolint:errorlint // as json returns them
	case *json.SyntaxError:
		return fmt.Errorf("no JSON at byte %d", e.Offset)
	case *json.UnmarshalTypeError:
		return fmt.Errorf("%s at byte %d is a %s", e.Field, e.Offset, e.Value)
	}
	return fmt.Errorf("malformed")
}

// authority is the host and port of a URL that may lack a scheme.
func authority(url string) string {
	url = strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://")
	host, _, _ := strings.Cut(url, "/")
	return host
}

// lookup finds the credentials for a registry. All hosts of Docker's own mean the same.
func (c Credentials) lookup(at endpoint) (authn.AuthConfig, bool) {
	for url, config := range c {
		if authority(url) == at.host {
			return config, true
		}
	}
	if strings.Contains(at.hostname(), dockerHub) {
		for url, config := range c {
			if strings.Contains(url, dockerHub) {
				return config, true
			}
		}
	}
	return authn.AuthConfig{}, false
}

// authenticator is for a registry: by the first credentials that have some for it.
func authenticator(at endpoint, all ...Credentials) authn.Authenticator {
	for _, c := range all {
		if config, ok := c.lookup(at); ok {
			return authn.FromConfig(config)
		}
	}
	return authn.Anonymous
}
