package quickstart

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
)

// releaseLabel marks a release that Up has installed, so that Down uninstalls no
// other.
const releaseLabel = "installed-by=" + manager

// helm runs the project's own helm on the target.
func (q Quickstart) helm(ctx context.Context, t target, args ...string) (string, error) {
	dir, err := q.Builder().Build(ctx, toolchain.Helm)
	if err != nil {
		return "", err
	}
	args = append([]string{"--namespace=" + namespace}, args...)
	if t.kubectl.Kubeconfig != "" {
		args = append(args, "--kubeconfig="+t.kubectl.Kubeconfig)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "helm"), args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("helm %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// installChart installs or upgrades the chart with the images that were built.
func (q Quickstart) installChart(ctx context.Context, t target, made images) error {
	if _, err := q.Builder().Build(ctx, toolchain.Helm); err != nil { // a step of its own
		return err
	}
	args := []string{
		"upgrade", "--install", release, filepath.Join(q.Config.RepoDir, chart),
		"--create-namespace", "--labels=" + releaseLabel, "--wait", "--timeout=3m",
	}
	args = append(args, "--set=images.registry="+made.registry)
	for program, tag := range made.tags {
		args = append(args, "--set=images."+program+".tag="+tag)
	}
	return q.Log.Step(ctx, "installing the chart", func(ctx context.Context, _ func(string)) error {
		_, err := q.helm(ctx, t, args...)
		return err
	})
}

// uninstall removes every MesosCluster that Up has applied, then the chart, then the
// CRDs unless somebody else's resources use them.
func (q Quickstart) uninstall(ctx context.Context, t target) error {
	ours, err := q.helm(ctx, t, "list", "--short", "--selector="+releaseLabel)
	if err != nil {
		return err
	}
	if strings.TrimSpace(ours) == "" {
		q.Log.Printf("the Kubernetes that your kubeconfig reaches has no chart installed by make up: leaving it alone")
		return nil
	}
	return q.Log.Step(ctx, "removing the sample and the chart", func(ctx context.Context, say func(string)) error {
		say("deleting the sample, whose agents clean their nodes")
		if _, err := t.kubectl.Run(ctx, "delete", "--ignore-not-found", "--timeout=3m", "--filename="+filepath.Join(q.Config.RepoDir, sample)); err != nil {
			return err
		}
		left, err := t.kubectl.Run(ctx, "get", "mesosclusters", "--all-namespaces", "--output=name")
		if err != nil {
			return err
		}
		if left != "" {
			return fmt.Errorf("there are other MesosClusters, which need the operator: %s", strings.Join(strings.Fields(left), ", "))
		}
		say("uninstalling the chart")
		if _, err := q.helm(ctx, t, "uninstall", release, "--wait", "--timeout=3m"); err != nil {
			return err
		}
		if _, err := t.kubectl.Run(ctx, "delete", "--ignore-not-found", "customresourcedefinition", "mesosclusters.mesos.dev"); err != nil {
			return err
		}
		_, err = t.kubectl.Run(ctx, "delete", "--ignore-not-found", "namespace", namespace, "--timeout=2m")
		return err
	})
}
