package cluster

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
	"github.com/mesos-operator/mesos-operator/controllers/node"
)

// fixedLeader answers for every cluster alike.
type fixedLeader struct{ state leader.State }

func (f fixedLeader) State(context.Context, leader.Target) (leader.State, error) { return f.state, nil }

// TestManager runs the controller as the operator does: nothing steps it, so every
// phase here is one that a watch has woken.
func TestManager(t *testing.T) {
	w := newWorld(t)
	w.manage(2)
	w.create(w.plain())
	w.eventually("the masters' StatefulSet", func() bool { return w.existsStatefulSet() })
	w.eventually("the agents' DaemonSet", func() bool { return w.exists("demo-agent-small") })
	w.rollMasters(1)
	w.elect("demo-master-0")
	w.eventually("the leader in the status", func() bool { return w.cluster().Status.Leader == "demo-master-0" })
	w.rollDaemons("demo-agent-small", 2, 2)
	w.eventually("Ready", func() bool {
		return meta.IsStatusConditionTrue(w.cluster().Status.Conditions, v1alpha1.ConditionReady)
	})
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.AgentPools = nil }))
	w.eventually("the pool's end", func() bool { return terminating(w.daemonSet("demo-agent-small")) })
}

// eventually waits for what another goroutine does, for as long as a slow machine may need.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	w.t.Fatalf("still waiting for %s; the status is %+v", what, w.cluster().Status)
}

// manage starts the controller with the caches, watches and rights of the operator,
// for this world's namespace, and leading masters that report a number of agents.
func (w *world) manage(agents int32) {
	w.t.Helper()
	config := rest.CopyConfig(apiServer)
	config.Impersonate.UserName = operatorUser
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  testScheme(),
		Logger:  logr.Discard(),
		Metrics: server.Options{BindAddress: "0"},
		// A second run of the test in one process is a second controller of that name.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
		Cache: cache.Options{
			ByObject:          CacheByObject(),
			DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
		},
	})
	w.must(err)
	watch := leader.NewWatch(fixedLeader{leader.State{Version: "1.11.0", ActiveAgents: agents, Votes: 1, Current: 1, Listed: 1}}, leader.Config{}, logr.Discard())
	w.must(mgr.Add(watch))
	r, err := New(Config{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Leaders: watch, Recorder: mgr.GetEventRecorder("mesos-operator"),
		Defaults: resources.Defaults{MasterImage: "m", AgentImage: "a", NodeLabels: true}, TokenReviewers: tokenReviewers,
	})
	w.must(err)
	w.must(r.SetupWithManager(mgr, watch.Events(), 1))
	nodes, err := node.New(node.Config{Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("mesos-operator")})
	w.must(err)
	w.must(nodes.SetupWithManager(mgr))
	ctx, stop := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			w.t.Errorf("the manager ended with %v", err)
		}
	})
	w.t.Cleanup(func() { stop(); done.Wait() })
}
