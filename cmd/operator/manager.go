package main

import (
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/node"
)

// newManager wires the controllers; nothing runs yet.
func newManager(c config, log logr.Logger) (ctrl.Manager, error) {
	rest, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	options, err := managerOptions(c, log)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(rest, options)
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := addClusters(mgr, c, log); err != nil {
		return nil, err
	}
	if err := addNodes(mgr, c); err != nil {
		return nil, err
	}
	for name, add := range map[string]func(string, healthz.Checker) error{
		"healthz": mgr.AddHealthzCheck, "readyz": mgr.AddReadyzCheck,
	} {
		if err := add(name, healthz.Ping); err != nil {
			return nil, fmt.Errorf("adding the %s check: %w", name, err)
		}
	}
	return mgr, nil
}

func managerOptions(c config, log logr.Logger) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return ctrl.Options{}, fmt.Errorf("registering API types: %w", err)
		}
	}
	options := ctrl.Options{
		Scheme:                  scheme,
		Logger:                  log,
		Metrics:                 server.Options{BindAddress: c.metricsAddress},
		HealthProbeBindAddress:  c.healthAddress,
		LeaderElection:          c.leaderElect,
		LeaderElectionID:        "mesos-operator.mesos.dev",
		LeaderElectionNamespace: c.electionSpace,
		// The process ends when the manager does, so the next replica need not wait.
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			ByObject:         cluster.CacheByObject(),
			DefaultTransform: cache.TransformStripManagedFields(),
		},
	}
	if c.namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{c.namespace: {}}
	}
	return options, nil
}

// addClusters adds what MesosClusters need: the watch of leading masters, and the controller.
func addClusters(mgr ctrl.Manager, c config, log logr.Logger) error {
	watch := leader.NewWatch(leader.NewHTTPClient(c.pollTimeout, ownTokens(mgr, c)),
		leader.Config{Interval: c.poll}, log.WithName("leader"))
	if err := mgr.Add(watch); err != nil {
		return fmt.Errorf("adding the watch of leading masters: %w", err)
	}
	reconciler, err := cluster.New(cluster.Config{
		Client:   mgr.GetClient(),
		Reader:   mgr.GetAPIReader(),
		Leaders:  watch,
		Recorder: mgr.GetEventRecorder("mesos-operator"),
		Defaults: c.images, TokenReviewers: c.tokenReviewers,
	})
	if err != nil {
		return err
	}
	if err := reconciler.SetupWithManager(mgr, watch.Events(), c.workers); err != nil {
		return fmt.Errorf("adding the MesosCluster controller: %w", err)
	}
	return nil
}

// addNodes adds what tells agents of the labels of their nodes, if the operator may.
func addNodes(mgr ctrl.Manager, c config) error {
	if !c.images.NodeLabels {
		return nil
	}
	reconciler, err := node.New(node.Config{Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("mesos-operator")})
	if err != nil {
		return err
	}
	if err := reconciler.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("adding the controller of agents' nodes: %w", err)
	}
	return nil
}
