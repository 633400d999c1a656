package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/httpapi"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/accessfile"
	"github.com/mesos-operator/mesos-operator/internal/auth/httpauth"
	"github.com/mesos-operator/mesos-operator/internal/auth/token"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/reread"
)

// access is what accessFlags stand for.
type access struct {
	credential func() auth.Credential // nil: the agent doesn't authenticate
	key        *token.Key             // nil: executors get no tokens
	guard      *httpauth.Guard
	authorizer *acl.Authorizer // nil: everybody may do everything
	disabled   []string
	files      *reread.Watcher
}

// open reads the secrets and rules, which are read again when they change, and makes
// what they are for. The key of executors' tokens is not: they have tokens made with it.
func (f *accessFlags) open(registry *metrics.Registry, log logr.Logger) (*access, error) {
	a := &access{files: accessfile.Watcher(registry, log)}
	var credentials *auth.Credentials
	var err error
	if f.Credential != nil {
		if a.credential, err = accessfile.Credential(a.files, *f.Credential, log); err != nil {
			return nil, fmt.Errorf("flag --credential: %w", err)
		}
	}
	if f.HTTPCredentials != nil {
		if credentials, err = accessfile.Credentials(a.files, *f.HTTPCredentials, log); err != nil {
			return nil, fmt.Errorf("flag --http_credentials: %w", err)
		}
	}
	if f.JWTSecretKey != nil {
		if a.key, err = readKey(*f.JWTSecretKey, log); err != nil {
			return nil, fmt.Errorf("flag --jwt_secret_key: %w", err)
		}
	}
	if a.guard, err = f.guard(credentials, a.key, log); err != nil {
		return nil, err
	}
	if f.ACLs != nil {
		if a.authorizer, err = accessfile.ACLs(a.files, *f.ACLs, log); err != nil {
			return nil, fmt.Errorf("flag --acls: %w", err)
		}
	}
	if f.Firewall != nil {
		a.disabled, err = httpserver.DisabledEndpoints(*f.Firewall)
	}
	return a, err
}

func readKey(value string, log logr.Logger) (*token.Key, error) {
	text, warning, err := auth.ReadSecret(value)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		log.Info("WARNING: " + warning)
	}
	return token.NewKey(text)
}

// guard makes the authenticators of the realms that are to have some.
func (f *accessFlags) guard(credentials *auth.Credentials, key *token.Key, log logr.Logger) (*httpauth.Guard, error) {
	sources := &httpauth.Sources{
		Credentials: credentials, Key: key,
		API: func() (*kubeapi.Client, error) { return kubeapi.New(kubeapi.InPod(os.Getenv)) },
	}
	if f.TokenAudiences != nil {
		sources.Audiences = strings.FieldsFunc(*f.TokenAudiences, func(c rune) bool { return c == ',' || c == ' ' })
	}
	names, err := httpauth.Names(f.authenticators())
	if err != nil {
		return nil, fmt.Errorf("flag --http_authenticators: %w", err)
	}
	realms := map[string][]httpauth.Authenticator{}
	for realm, guarded := range map[string]bool{
		httpapi.RealmReadonly: f.HTTPReadonly, httpapi.RealmReadwrite: f.HTTPReadwrite, httpapi.RealmExecutor: f.HTTPExecutors,
		// Mesos lets everybody be a resource provider. Here they have to be let in
		// where operators have to.
		httpapi.RealmProvider: f.HTTPReadwrite,
	} {
		if !guarded {
			continue
		}
		accepted := names
		if realm == httpapi.RealmProvider && key != nil && !slices.Contains(names, httpauth.NameJWT) {
			accepted = append(slices.Clone(names), httpauth.NameJWT) // the form that Mesos gives their credentials
		}
		if realms[realm], err = sources.Build(realm, accepted); err != nil {
			return nil, err
		}
	}
	return httpauth.NewGuard(realms, log), nil
}

// tokens makes those of executors; nil if they get none.
func (a *access) tokens() func(framework, executor, container string) (string, error) {
	if a.key == nil {
		return nil
	}
	return a.key.Executor
}

// mayReadLog is for the file of the agent's own log.
func (a *access) mayReadLog(ctx context.Context) (bool, error) {
	return a.authorizer.For(auth.FromContext(ctx)).May(acl.AccessMesosLog, acl.Any), nil
}
