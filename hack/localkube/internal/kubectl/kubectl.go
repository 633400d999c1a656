// Package kubectl calls kubectl, for what localkube and its tests ask of a cluster
// the way a person would.
package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Kubectl is a kubectl and the cluster that it talks to.
type Kubectl struct {
	// Binary is the program's path or name.
	Binary string
	// Kubeconfig is a file; empty means kubectl's own choice.
	Kubeconfig string
}

// Run returns what kubectl prints, without the final newline.
func (k Kubectl) Run(ctx context.Context, args ...string) (string, error) {
	return k.RunWith(ctx, "", args...)
}

// RunWith is Run with an input.
func (k Kubectl) RunWith(ctx context.Context, stdin string, args ...string) (string, error) {
	if k.Kubeconfig != "" {
		args = append([]string{"--kubeconfig=" + k.Kubeconfig}, args...)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, k.Binary, args...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// Apply applies manifests on the server's side as the given field manager.
func (k Kubectl) Apply(ctx context.Context, manager, manifests string) error {
	_, err := k.RunWith(ctx, manifests, "apply", "--server-side", "--force-conflicts", "--field-manager="+manager, "-f", "-")
	return err
}

// Eventually calls f until it returns nil, and its last error when the limit is over.
func Eventually(ctx context.Context, limit time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // not the error of a call that was cut off
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("gave up after %s", limit), last)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
