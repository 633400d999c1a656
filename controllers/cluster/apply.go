package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// applier applies configurations, and spares the API server those that would
// change nothing: a cluster at rest costs no writes.
//
// It remembers, by child, what it last applied and the version that this made.
// If both are still the same, so is everything in the child that it owns. The
// memory is a cache: to lose it costs one apply for each child.
type applier struct {
	client client.Client

	mu   sync.Mutex
	done map[types.NamespacedName]map[child]applied
}

// child of a cluster, in the cluster's namespace.
type child struct{ kind, name string }

type applied struct {
	config  [sha256.Size]byte
	uid     types.UID
	version string
}

func newApplier(c client.Client) *applier {
	return &applier{client: c, done: map[types.NamespacedName]map[child]applied{}}
}

// apply makes a child as configured and returns it.
func apply[T any, P interface {
	*T
	client.Object
}](ctx context.Context, a *applier, cluster types.NamespacedName, config runtime.ApplyConfiguration) (P, error) {
	raw, id, err := identify(config)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	live := P(new(T))
	err = a.client.Get(ctx, types.NamespacedName{Namespace: cluster.Namespace, Name: id.name}, live)
	switch {
	case err == nil && a.recall(cluster, id) == applied{sum, live.GetUID(), live.GetResourceVersion()}:
		return live, nil
	case err != nil && !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading %s %s: %w", id.kind, id.name, err)
	}
	if err := a.client.Apply(ctx, config, client.FieldOwner(resources.FieldOwner), client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("applying %s %s: %w", id.kind, id.name, err)
	}
	// The configuration holds the server's answer now, the whole child.
	answer, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encoding %s %s: %w", id.kind, id.name, err)
	}
	live = P(new(T))
	if err := json.Unmarshal(answer, live); err != nil {
		return nil, fmt.Errorf("decoding %s %s: %w", id.kind, id.name, err)
	}
	a.remember(cluster, id, applied{sum, live.GetUID(), live.GetResourceVersion()})
	return live, nil
}

func identify(config runtime.ApplyConfiguration) ([]byte, child, error) {
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, child{}, fmt.Errorf("encoding %T: %w", config, err)
	}
	var object struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, child{}, fmt.Errorf("reading the name of %T: %w", config, err)
	}
	return raw, child{object.Kind, object.Metadata.Name}, nil
}

func (a *applier) recall(cluster types.NamespacedName, id child) applied {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done[cluster][id]
}

func (a *applier) remember(cluster types.NamespacedName, id child, what applied) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done[cluster] == nil {
		a.done[cluster] = map[child]applied{}
	}
	a.done[cluster][id] = what
}

// forget drops what is remembered of a cluster that is gone.
func (a *applier) forget(cluster types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.done, cluster)
}
