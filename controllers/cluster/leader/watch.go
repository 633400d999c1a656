package leader

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// Observation is the last answer of a cluster's leading master, or why there is none.
// Observations are compared with ==.
type Observation struct {
	// State is the last good answer.
	State State
	// Failure says why the last question went unanswered, and is empty if it didn't.
	Failure string
}

// Config says how to ask.
type Config struct {
	// Interval between two questions to one cluster; 3s by default, which is how
	// late a MesosCluster's status may be.
	Interval time.Duration
	// Concurrency is how many clusters are asked at a time; 32 by default.
	Concurrency int
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = 3 * time.Second
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 32
	}
	return c
}

// Watch asks the leading masters of the clusters that it was told to track.
// It is a Runnable of the operator's manager.
type Watch struct {
	client Client
	config Config
	log    logr.Logger
	events chan event.GenericEvent
	wake   chan struct{}

	mu      sync.Mutex
	targets map[types.NamespacedName]*target
}

// Target is where a leading master is found, and what it asks of who comes.
type Target struct {
	// URL of the leading master, without a slash at the end.
	URL string
	// Audience is whom the operator's token must be made for; "" if none is asked for.
	Audience string
}

type target struct {
	Target
	observed bool
	last     Observation
}

// NewWatch makes a Watch that asks through a Client.
func NewWatch(c Client, config Config, log logr.Logger) *Watch {
	return &Watch{
		client:  c,
		config:  config.withDefaults(),
		log:     log,
		events:  make(chan event.GenericEvent),
		wake:    make(chan struct{}, 1),
		targets: map[types.NamespacedName]*target{},
	}
}

// Track begins to watch a cluster's leading master. An answer of another target is
// forgotten; a cluster that is watched there already is left alone.
func (w *Watch) Track(cluster types.NamespacedName, at Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.targets[cluster]; t != nil && t.Target == at {
		return
	}
	w.targets[cluster] = &target{Target: at}
	w.Poke()
}

// Forget ends watching a cluster.
func (w *Watch) Forget(cluster types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.targets, cluster)
}

// Poke asks at once, for when something else hints at a change.
func (w *Watch) Poke() {
	select {
	case w.wake <- struct{}{}:
	default: // It is about to ask anyway.
	}
}

// Last returns the last observation of a cluster, and whether there is one.
func (w *Watch) Last(cluster types.NamespacedName) (Observation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.targets[cluster]
	if t == nil {
		return Observation{}, false
	}
	return t.last, t.observed
}

// Ask asks a tracked cluster's leading master now. It is for what must not rest on an
// answer that may be some seconds old, and takes no longer than the Client allows.
func (w *Watch) Ask(ctx context.Context, cluster types.NamespacedName) (State, error) {
	w.mu.Lock()
	t := w.targets[cluster]
	w.mu.Unlock()
	if t == nil {
		return State{}, ErrNotLeading
	}
	return w.client.State(ctx, t.Target)
}

// Events tells of clusters whose observation changed.
func (w *Watch) Events() <-chan event.GenericEvent { return w.events }

// NeedLeaderElection keeps replicas of the operator that do not lead from asking.
func (w *Watch) NeedLeaderElection() bool { return true }

// Start asks until the context ends.
func (w *Watch) Start(ctx context.Context) error {
	ticker := time.NewTicker(w.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-w.wake:
		}
		w.round(ctx)
	}
}

// round asks every cluster once. A cluster that doesn't answer costs the client's
// time limit, and only one of the round's places.
func (w *Watch) round(ctx context.Context) {
	places := make(chan struct{}, w.config.Concurrency)
	var asked sync.WaitGroup
	for cluster, at := range w.snapshot() {
		select {
		case <-ctx.Done():
		case places <- struct{}{}:
			asked.Go(func() {
				defer func() { <-places }()
				w.ask(ctx, cluster, at)
			})
		}
	}
	asked.Wait()
}

func (w *Watch) snapshot() map[types.NamespacedName]Target {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[types.NamespacedName]Target, len(w.targets))
	for cluster, t := range w.targets {
		out[cluster] = t.Target
	}
	return out
}

func (w *Watch) ask(ctx context.Context, cluster types.NamespacedName, at Target) {
	state, err := w.client.State(ctx, at)
	if ctx.Err() != nil {
		return // The operator is stopping; the master is not to blame.
	}
	if !w.record(cluster, at, state, err) {
		return
	}
	w.log.V(1).Info("the leading master's state changed", "cluster", cluster, "agents", state.ActiveAgents, "error", err)
	select {
	case <-ctx.Done():
	case w.events <- event.GenericEvent{Object: named(cluster)}:
	}
}

// record keeps an answer and reports whether it says anything new. A failure
// keeps the last good state beside it.
func (w *Watch) record(cluster types.NamespacedName, at Target, state State, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.targets[cluster]
	if t == nil || t.Target != at {
		return false // Forgotten or moved while the question was under way.
	}
	next := Observation{State: state}
	if err != nil {
		next = Observation{State: t.last.State, Failure: err.Error()}
	}
	changed := !t.observed || next != t.last
	t.observed, t.last = true, next
	return changed
}

func named(cluster types.NamespacedName) client.Object {
	return &v1alpha1.MesosCluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: cluster.Namespace, Name: cluster.Name,
	}}
}
