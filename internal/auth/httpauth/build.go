package httpauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/token"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// The names of authenticators in --http_authenticators. The first two are
// Mesos's.
const (
	NameBasic          = "basic"
	NameJWT            = "jwt"
	NameServiceAccount = "serviceaccount"
)

// Sources are what authenticators work with; what is missing makes those that
// need it an error.
type Sources struct {
	Credentials *auth.Credentials
	Key         *token.Key
	// API makes the client of the API server; it is called once if a name asks
	// for it.
	API func() (*kubeapi.Client, error)
	// Audiences are those that tokens of ServiceAccounts must be meant for.
	Audiences []string

	api *kubeapi.Client
}

// Names reads a flag with names of authenticators.
func Names(list string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no HTTP authenticator is named")
	}
	return names, nil
}

// Build makes the authenticators of a realm, in the order of their names, as
// Mesos has them.
func (s *Sources) Build(realm string, names []string) ([]Authenticator, error) {
	var all []Authenticator
	for _, name := range names {
		a, err := s.build(realm, name)
		if err != nil {
			return nil, fmt.Errorf("HTTP authenticator %q for realm %q: %w", name, realm, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func (s *Sources) build(realm, name string) (Authenticator, error) {
	switch name {
	case NameBasic:
		if s.Credentials == nil {
			return nil, errors.New("no credentials are provided")
		}
		return Basic(realm, s.Credentials), nil
	case NameJWT:
		if s.Key == nil {
			return nil, errors.New("no secret key is provided")
		}
		return Token(realm, s.Key), nil
	case NameServiceAccount:
		if s.api == nil {
			api, err := s.API()
			if err != nil {
				return nil, err
			}
			s.api = api
		}
		return Accounts(AccountsConfig{Realm: realm, API: s.api, Audiences: s.Audiences}), nil
	}
	return nil, errors.New("not found: known are basic, jwt and serviceaccount; modules can't be loaded")
}
