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
	"github.com/mesos-operator/mesos-operator/internal/auth/httpauth"
	"github.com/mesos-operator/mesos-operator/internal/auth/token"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// access is what accessFlags stand for.
type access struct {
	credential *auth.Credential // nil: the agent doesn't authenticate
	key        *token.Key       // nil: executors get no tokens
	guard      *httpauth.Guard
	authorizer *acl.Authorizer // nil: everybody may do everything
	disabled   []string
}

// open reads the secrets and makes what they are for.
func (f *accessFlags) open(log logr.Logger) (*access, error) {
	a := &access{}
	var credentials *auth.Credentials
	for _, s := range []struct {
		flag  string
		value *string
		use   func(text []byte) error
	}{
		{"credential", f.Credential, func(text []byte) error {
			c, err := auth.ParseCredential(text)
			a.credential = &c
			return err
		}},
		{"http_credentials", f.HTTPCredentials, func(text []byte) (err error) {
			credentials, err = auth.ParseCredentials(text)
			return err
		}},
		{"jwt_secret_key", f.JWTSecretKey, func(text []byte) (err error) {
			a.key, err = token.NewKey(text)
			return err
		}},
	} {
		if s.value == nil {
			continue
		}
		if err := readSecret(*s.value, log, s.use); err != nil {
			return nil, fmt.Errorf("flag --%s: %w", s.flag, err)
		}
	}
	var err error
	if a.guard, err = f.guard(credentials, a.key, log); err != nil {
		return nil, err
	}
	if f.ACLs != nil {
		var skipped []string
		if a.authorizer, skipped, err = acl.Parse(*f.ACLs); err != nil {
			return nil, fmt.Errorf("flag --acls: %w", err)
		}
		if len(skipped) > 0 {
			log.Info("WARNING: --acls has members that no list of ACLs is called; they protect nothing", "members", skipped)
		}
	}
	if f.Firewall != nil {
		a.disabled, err = httpserver.DisabledEndpoints(*f.Firewall)
	}
	return a, err
}

func readSecret(value string, log logr.Logger, use func(text []byte) error) error {
	text, warning, err := auth.ReadSecret(value)
	if err != nil {
		return err
	}
	if warning != "" {
		log.Info("WARNING: " + warning)
	}
	return use(text)
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
