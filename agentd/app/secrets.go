package app

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// The resolvers by the names that --secret_resolver has for them. Mesos has none
// but modules.
const (
	directoryResolver  = "directory"
	kubernetesResolver = "kubernetes"
)

// accountNamespace is where the kubelet tells a pod its namespace.
const accountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// secretFlags say where the values of secrets are that tasks refer to.
type secretFlags struct{ resolver, directory, namespace *string }

func (f *secretFlags) define(s *flags.Set) {
	s.OptionalString(&f.resolver, "secret_resolver", "Who resolves references to secrets: directory, where <name>/<key> are files below --secret_directory, "+
		"or kubernetes, which reads Secrets. Default: nobody.")
	s.OptionalString(&f.directory, "secret_directory", "Directory of secrets. Nobody but its owner, root or the agent's user, may write to it.")
	s.OptionalString(&f.namespace, "kube_secrets_namespace", "Namespace of the Secrets that tasks may refer to. Default: that of the agent's pod.")
}

// validate refuses flags that don't belong together.
func (f *secretFlags) validate() error {
	switch resolver := text(f.resolver); {
	case resolver != "" && resolver != directoryResolver && resolver != kubernetesResolver:
		return fmt.Errorf("--secret_resolver=%s: want %s or %s; modules can't be loaded", resolver, directoryResolver, kubernetesResolver)
	case (resolver == directoryResolver) != (f.directory != nil):
		return errors.New("--secret_resolver=directory and --secret_directory need one another")
	case resolver != kubernetesResolver && f.namespace != nil:
		return errors.New("--kube_secrets_namespace needs --secret_resolver=kubernetes")
	}
	return nil
}

// open makes the resolver.
func (f *secretFlags) open() (secrets.Resolver, error) {
	switch text(f.resolver) {
	case directoryResolver:
		resolve, err := secrets.Directory(*f.directory)
		if err != nil {
			return nil, fmt.Errorf("--secret_directory: %w", err)
		}
		return resolve, nil
	case kubernetesResolver:
		namespace := text(f.namespace)
		if namespace == "" {
			own, err := os.ReadFile(accountNamespace)
			if err != nil {
				return nil, fmt.Errorf("--secret_resolver=kubernetes: finding the pod's namespace (--kube_secrets_namespace sets it): %w", err)
			}
			namespace = strings.TrimSpace(string(own))
		}
		api, err := kubeapi.New(kubeapi.InPod(os.Getenv))
		if err != nil {
			return nil, fmt.Errorf("--secret_resolver=kubernetes: %w", err)
		}
		return secrets.Kubernetes(api, namespace), nil
	}
	return secrets.Values, nil
}
