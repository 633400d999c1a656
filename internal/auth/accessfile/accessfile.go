// Package accessfile opens the files behind the flags that say who may come and do what:
// --credentials, --http_credentials, --credential and --acls. They are read again when
// they change, so that secrets can be rotated, and rules changed, without a restart. A new file that is wrong
// takes nothing away. Mesos reads them once.
//
// The mains of masterd and agentd use it.
package accessfile

import (
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/reread"
)

// Watcher returns one that counts in access/files_reread and access/files_refused.
func Watcher(registry *metrics.Registry, log logr.Logger) *reread.Watcher {
	return reread.New(reread.Config{
		Reads: registry.Counter("access/files_reread"), Failures: registry.Counter("access/files_refused"), Log: log,
	})
}

// Secret reads what a flag of secrets holds, by having use called with it: at once,
// and whenever its file changes.
func Secret(w *reread.Watcher, value string, log logr.Logger, use func(text []byte) error) error {
	read := func() error {
		text, warning, err := auth.ReadSecret(value)
		if err != nil {
			return err
		}
		if warning != "" {
			log.Info("WARNING: " + warning)
		}
		return use(text)
	}
	if path, ok := auth.SecretFile(value); ok {
		return w.Add(path, read)
	}
	return read()
}

// Credentials opens what --credentials or --http_credentials names.
func Credentials(w *reread.Watcher, value string, log logr.Logger) (*auth.Credentials, error) {
	kept := auth.NewCredentials()
	err := Secret(w, value, log, func(text []byte) error {
		read, err := auth.ParseCredentials(text)
		if err == nil {
			kept.Replace(read)
		}
		return err
	})
	return kept, err
}

// Credential opens what --credential names: how one authenticates oneself.
func Credential(w *reread.Watcher, value string, log logr.Logger) (func() auth.Credential, error) {
	var kept atomic.Pointer[auth.Credential]
	err := Secret(w, value, log, func(text []byte) error {
		read, err := auth.ParseCredential(text)
		if err == nil {
			kept.Store(&read)
		}
		return err
	})
	return func() auth.Credential { return *kept.Load() }, err
}

// ACLs opens what --acls names, and warns of lists that protect nothing.
func ACLs(w *reread.Watcher, value flags.JSONFile, log logr.Logger) (*acl.Authorizer, error) {
	var kept *acl.Authorizer
	use := func(text []byte) error {
		read, skipped, err := acl.Parse(text)
		if err != nil {
			return err
		}
		if len(skipped) > 0 {
			log.Info("WARNING: --acls has members that no list of ACLs is called; they protect nothing", "members", skipped)
		}
		if kept == nil {
			kept = read
		} else {
			kept.Replace(read)
		}
		return nil
	}
	if value.Path == "" {
		err := use(value.Text)
		return kept, err
	}
	err := w.Add(value.Path, func() error {
		text, err := value.Read()
		if err != nil {
			return err
		}
		return use(text)
	})
	return kept, err
}
