package secrets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// Kubernetes resolves references to Secrets of one namespace: name is that of the
// Secret, key that of an entry of its data, which may be left out if there is
// one only. The agent's account needs the right to get those Secrets and no other.
func Kubernetes(api *kubeapi.Client, namespace string) Resolver {
	return references(func(ctx context.Context, name, key string) ([]byte, error) {
		var secret struct{ Data map[string][]byte }
		err := api.Do(ctx, kubeapi.Request{
			Method: http.MethodGet,
			Path:   "/api/v1/namespaces/" + url.PathEscape(namespace) + "/secrets/" + url.PathEscape(name),
			Into:   &secret,
		})
		if status, ok := errors.AsType[*kubeapi.StatusError](err); ok && status.Status == http.StatusNotFound {
			return nil, fmt.Errorf("%w in namespace %s", ErrNotFound, namespace)
		}
		if err != nil {
			return nil, err
		}
		if key == "" {
			return only(secret.Data)
		}
		value, ok := secret.Data[key]
		if !ok {
			return nil, ErrNotFound
		}
		return value, nil
	})
}

func only(data map[string][]byte) ([]byte, error) {
	if len(data) != 1 {
		return nil, fmt.Errorf("%w: it has %d entries, so that the reference needs a key", ErrInvalid, len(data))
	}
	for _, value := range data {
		return value, nil
	}
	return nil, ErrNotFound
}
