// Package quickstart is "make up" and "make down": from nothing to a MesosCluster
// that has run a task, on the cluster that the user's kubeconfig reaches or on a
// localkube. It does what the documentation tells a user to do, with the same
// programs: helm for the chart, kubectl for the sample, mesosctl for the task.
package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cluster"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/kubectl"
)

// Where the operator is installed, and where its chart and the sample are.
const (
	release   = "mesos-operator"
	namespace = "mesos-system"
	chart     = "charts/mesos-operator"
	sample    = "config/samples/mesoscluster.yaml"
	manager   = "quickstart"
)

// Quickstart is one run of the command.
type Quickstart struct {
	cluster.Cluster
	// Registry is a registry and path that a cluster other than localkube pulls
	// from, such as "registry.example.com/team".
	Registry string
	// Version is stamped into the binaries.
	Version string
	// Out gets what the user asked for: the task's output and the session.
	Out io.Writer
}

// target is the Kubernetes cluster to work on.
type target struct {
	kubectl kubectl.Kubectl
	// local says that it is the localkube of this configuration.
	local bool
}

// Up does everything that is not done yet.
func (q Quickstart) Up(ctx context.Context) error {
	t, err := q.target(ctx)
	if err != nil {
		return err
	}
	made, err := q.buildImages(ctx, t)
	if err != nil {
		return err
	}
	if err := q.installChart(ctx, t, made); err != nil {
		return err
	}
	mc, err := q.applySample(ctx, t, made)
	if err != nil {
		return err
	}
	if err := q.awaitReady(ctx, t, mc); err != nil {
		return err
	}
	if err := q.runTask(ctx, t, mc); err != nil {
		return err
	}
	return q.explain(ctx, t, mc)
}

// Down removes what Up has made: a localkube as a whole, or from another cluster
// the sample and the chart.
func (q Quickstart) Down(ctx context.Context) error {
	t, ok := q.reachable(ctx)
	if ok && !t.local {
		if err := q.uninstall(ctx, t); err != nil {
			return err
		}
	}
	if err := q.Cluster.Down(ctx); err != nil {
		return err
	}
	found, err := q.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, f := range found {
		q.Log.Printf("left behind: %s", f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d things of a cluster are left on this machine", len(found))
	}
	q.Log.Printf("nothing is left on this machine but the built binaries")
	return nil
}

// target is the cluster that the user's kubeconfig reaches, or else a localkube.
func (q Quickstart) target(ctx context.Context) (target, error) {
	if t, ok := q.reachable(ctx); ok && !t.local {
		server, err := t.kubectl.Run(ctx, "config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
		if err != nil {
			return t, err
		}
		q.Log.Printf("using the Kubernetes that your kubeconfig reaches: %s", server)
		return t, q.checkRegistry()
	}
	if err := q.Cluster.Up(ctx); err != nil {
		return target{}, err
	}
	k, err := q.Kubectl(ctx)
	if err != nil {
		return target{}, err
	}
	return target{kubectl: k, local: true}, q.linkTools(k)
}

func (q Quickstart) checkRegistry() error {
	if q.Registry == "" {
		return errors.New("that cluster can't get images from this machine: set REGISTRY to a registry and path that it pulls from, " +
			"as in REGISTRY=registry.example.com/team; or unset KUBECONFIG to have a Kubernetes started on this machine")
	}
	return nil
}

// reachable tells whether the current kubeconfig, by kubectl's own rules, leads to a
// cluster that answers.
func (q Quickstart) reachable(ctx context.Context) (target, bool) {
	k := kubectl.Kubectl{Binary: "kubectl"}
	if _, err := exec.LookPath(k.Binary); err != nil {
		if os.Getenv("KUBECONFIG") != "" {
			q.Log.Printf("KUBECONFIG is set, but there is no kubectl in PATH: not looking for that cluster")
		}
		return target{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := k.Run(ctx, "get", "--raw=/readyz", "--request-timeout=5s"); err != nil {
		return target{}, false
	}
	server, err := k.Run(ctx, "config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}")
	return target{kubectl: k, local: err == nil && server == q.Config.Server()}, true
}

// linkTools puts kubectl beside the project's own programs, for a user who has none.
func (q Quickstart) linkTools(k kubectl.Kubectl) error {
	link := q.bin("kubectl")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(k.Binary, link)
}

// bin is where a program of the project is built.
func (q Quickstart) bin(program string) string {
	return filepath.Join(q.Config.RepoDir, "bin", program)
}
