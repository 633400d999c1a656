package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// readyLimit is the time for a MesosCluster to become ready: two pods that start
// within seconds, the agent's after the master leads.
const readyLimit = 5 * time.Minute

// key names a MesosCluster.
type key struct{ namespace, name string }

// mesosCluster is what of a MesosCluster is looked at.
type mesosCluster struct {
	Metadata struct {
		Name, Namespace string
		Generation      int64
	}
	Status struct {
		Conditions []struct {
			Type, Status, Message string
			ObservedGeneration    int64
		}
	}
}

// ready tells whether the operator calls the present spec ready, and if not, why.
func (m mesosCluster) ready() (ready bool, why string) {
	for _, c := range m.Status.Conditions {
		if c.Type == "Ready" && c.ObservedGeneration == m.Metadata.Generation {
			return c.Status == "True", c.Message
		}
	}
	return false, "the operator has not looked at it yet"
}

func (q Quickstart) applySample(ctx context.Context, t target, made images) (key, error) {
	manifest, err := os.ReadFile(filepath.Join(q.Config.RepoDir, sample))
	if err != nil {
		return key{}, err
	}
	out, err := t.kubectl.RunWith(ctx, made.into(string(manifest)),
		"apply", "--server-side", "--field-manager="+manager, "--filename=-", "--output=json")
	if err != nil {
		return key{}, fmt.Errorf("applying %s: %w", sample, err)
	}
	var m mesosCluster
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return key{}, fmt.Errorf("applying %s: %w", sample, err)
	}
	q.Log.Printf("applied %s: MesosCluster %s in namespace %s", sample, m.Metadata.Name, m.Metadata.Namespace)
	return key{m.Metadata.Namespace, m.Metadata.Name}, nil
}

func (q Quickstart) awaitReady(ctx context.Context, t target, mc key) error {
	what := "waiting for MesosCluster " + mc.name + " to be ready"
	return q.Log.Step(ctx, what, func(ctx context.Context, say func(string)) error {
		deadline := time.Now().Add(readyLimit)
		for {
			why, err := q.pending(ctx, t, mc)
			if err == nil && why == "" {
				return nil
			}
			say(why)
			if time.Now().After(deadline) {
				return errors.Join(fmt.Errorf("not ready after %s: %s", readyLimit, why), err, q.evidence(ctx, t, mc))
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

// pending says why the MesosCluster isn't ready; "" if it is.
func (q Quickstart) pending(ctx context.Context, t target, mc key) (string, error) {
	out, err := t.kubectl.Run(ctx, "get", "mesoscluster", mc.name, "--namespace="+mc.namespace, "--output=json")
	if err != nil {
		return "no answer from the API server", err
	}
	var m mesosCluster
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return "an answer that can't be read", err
	}
	ready, why := m.ready()
	if ready {
		return "", nil
	}
	return why, nil
}

// evidence is what a person would look at next.
func (q Quickstart) evidence(ctx context.Context, t target, mc key) error {
	var b strings.Builder
	for _, args := range [][]string{
		{"get", "pods", "--all-namespaces", "--output=wide"},
		{"get", "events", "--namespace=" + mc.namespace, "--sort-by=.lastTimestamp"},
		{"logs", "--namespace=" + namespace, "--selector=app.kubernetes.io/name=mesos-operator", "--tail=20"},
	} {
		out, err := t.kubectl.Run(ctx, args...)
		fmt.Fprintf(&b, "\n$ kubectl %s\n%s\n", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return errors.New(b.String())
}

// mesosctl runs mesosctl against the MesosCluster.
func (q Quickstart) mesosctl(ctx context.Context, t target, mc key, args ...string) error {
	all := []string{"--namespace=" + mc.namespace, "--mesos-cluster=" + mc.name}
	if t.kubectl.Kubeconfig != "" {
		all = append(all, "--kubeconfig="+t.kubectl.Kubeconfig)
	}
	cmd := exec.CommandContext(ctx, q.bin("mesosctl"), append(all, args...)...)
	cmd.Stdout, cmd.Stderr = q.Out, os.Stderr
	return cmd.Run()
}

func (q Quickstart) runTask(ctx context.Context, t target, mc key) error {
	args := []string{"task", "run", "--name", "hello", "--", "echo", "hello"}
	q.Log.Printf("mesosctl %s", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := q.mesosctl(ctx, t, mc, args...); err != nil {
		return fmt.Errorf("running a task: %w", err)
	}
	return nil
}
