package app

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/accessfile"
	"github.com/mesos-operator/mesos-operator/internal/auth/cram"
	"github.com/mesos-operator/mesos-operator/internal/auth/httpauth"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/reread"
	"github.com/mesos-operator/mesos-operator/masterd/httpapi"
)

// access is what AccessFlags stand for.
type access struct {
	credentials *auth.Credentials // nil: none are provided
	guard       *httpauth.Guard
	authorizer  *acl.Authorizer // nil: everybody may do everything
	disabled    []string        // endpoints
	files       *reread.Watcher
}

func (f *AccessFlags) validate() error {
	if f.HTTPFrameworks && f.FrameworkAuthenticators == nil {
		return errors.New("flag --http_framework_authenticators is required with --authenticate_http_frameworks")
	}
	// Only the form of it: secrets are read when the master starts.
	if (f.HTTPReadonly || f.HTTPReadwrite) && f.Credentials == nil && hasBasic(f.HTTPAuthenticators) ||
		f.HTTPFrameworks && f.Credentials == nil && hasBasic(value(f.FrameworkAuthenticators)) {
		return errors.New("flag --credentials is required with --authenticate_http_* and the authenticator basic")
	}
	if _, err := httpserver.DisabledEndpoints(jsonOf(f.Firewall)); err != nil {
		return fmt.Errorf("flag --firewall_rules: %w", err)
	}
	if f.ACLs != nil {
		if _, _, err := acl.Parse(f.ACLs.Text); err != nil {
			return fmt.Errorf("flag --acls: %w", err)
		}
	}
	return nil
}

func hasBasic(authenticators string) bool {
	names, err := httpauth.Names(authenticators)
	return err == nil && slices.Contains(names, httpauth.NameBasic)
}

// open reads the secrets and rules, which are read again when they change, and makes
// what they are for.
func (f *AccessFlags) open(registry *metrics.Registry, log logr.Logger) (*access, error) {
	a := &access{files: accessfile.Watcher(registry, log)}
	var err error
	if f.Credentials != nil {
		if a.credentials, err = accessfile.Credentials(a.files, *f.Credentials, log); err != nil {
			return nil, fmt.Errorf("flag --credentials: %w", err)
		}
	}
	if a.guard, err = f.guard(a.credentials, log); err != nil {
		return nil, err
	}
	if f.ACLs != nil {
		if a.authorizer, err = accessfile.ACLs(a.files, *f.ACLs, log); err != nil {
			return nil, fmt.Errorf("flag --acls: %w", err)
		}
	}
	a.disabled, err = httpserver.DisabledEndpoints(jsonOf(f.Firewall))
	return a, err
}

// guard makes the authenticators of the realms that are to have some.
func (f *AccessFlags) guard(credentials *auth.Credentials, log logr.Logger) (*httpauth.Guard, error) {
	sources := &httpauth.Sources{
		Credentials: credentials, Audiences: split(f.TokenAudiences),
		API: func() (*kubeapi.Client, error) { return kubeapi.New(kubeapi.InPod(os.Getenv)) },
	}
	realms := map[string][]httpauth.Authenticator{}
	for _, r := range []struct {
		name           string
		guarded        bool
		authenticators string
	}{
		{httpapi.RealmReadonly, f.HTTPReadonly, f.HTTPAuthenticators},
		{httpapi.RealmReadwrite, f.HTTPReadwrite, f.HTTPAuthenticators},
		{httpapi.RealmScheduler, f.HTTPFrameworks, value(f.FrameworkAuthenticators)},
	} {
		if !r.guarded {
			continue
		}
		names, err := httpauth.Names(r.authenticators)
		if err != nil {
			return nil, fmt.Errorf("realm %s: %w", r.name, err)
		}
		if realms[r.name], err = sources.Build(r.name, names); err != nil {
			return nil, err
		}
	}
	return httpauth.NewGuard(realms, log), nil
}

// authenticate is httpapi's: principals of the master's endpoints have nothing
// but names.
func (a *access) authenticate(w http.ResponseWriter, r *http.Request, realm string) (string, bool) {
	principal, ok := a.guard.Authenticate(w, r, realm)
	return principal.Name, ok
}

// authenticator is for the agents and native drivers of one term.
func (a *access) authenticator(f *AccessFlags, node *libprocess.Node, log logr.Logger) (*cram.Authenticator, error) {
	return cram.New(cram.Config{Node: node, Credentials: a.credentials, Timeout: f.Timeout, Log: log.WithName("authenticator")})
}
