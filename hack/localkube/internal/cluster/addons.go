package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/api"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/kubectl"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/volumes"
)

//go:embed addons.yaml
var addonsYAML string

// addonsTemplate is what the cluster starts with.
var addonsTemplate = template.Must(template.New("addons").Parse(addonsYAML))

// addonValues fill addons.yaml.
type addonValues struct {
	Image, DNSAddr, Class, Provisioner string
	// Forward tells whether there is a name server for names outside of the cluster.
	Forward bool
}

func renderAddons(v addonValues) (string, error) {
	var b strings.Builder
	err := addonsTemplate.Execute(&b, v)
	return b.String(), err
}

func (k Cluster) addons(ctx context.Context, d dirs) error {
	version, err := k.Builder().Version(toolchain.CoreDNS)
	if err != nil {
		return err
	}
	manifest, err := renderAddons(addonValues{
		Image: coreDNSImage(version), DNSAddr: k.Config.DNSAddr().String(),
		Class: volumes.Class, Provisioner: volumes.Provisioner, Forward: len(node.Resolvers()) > 0,
	})
	if err != nil {
		return err
	}
	k8s := kubectl.Kubectl{Binary: filepath.Join(d.kubernetes, "kubectl"), Kubeconfig: k.Config.Kubeconfig()}
	if err := k8s.Apply(ctx, config.Name, manifest); err != nil {
		return fmt.Errorf("applying the add-ons: %w", err)
	}
	return nil
}

// awaitReady waits until every node and CoreDNS are ready, and the default service
// account exists, without which no pod can be made.
func (k Cluster) awaitReady(ctx context.Context, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client, err := k.Client()
	if err != nil {
		return err
	}
	for {
		missing, err := k.missing(ctx, client)
		if err == nil && missing == "" {
			return nil
		}
		if err != nil {
			missing = err.Error()
		}
		say("waiting for " + missing)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; still waiting for %s", ctx.Err(), missing)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// missing names the first thing that isn't ready; "" when all is.
func (k Cluster) missing(ctx context.Context, client *api.Client) (string, error) {
	for _, n := range k.Config.AllNodes() {
		ready, err := k.nodeReady(ctx, client, n.Name)
		if err != nil {
			return "", err
		}
		if !ready {
			return n.Name, nil
		}
	}
	err := client.Do(ctx, http.MethodGet, "/api/v1/namespaces/default/serviceaccounts/default", nil, nil)
	if api.IsStatus(err, http.StatusNotFound) {
		return "the default service account", nil
	}
	if err != nil {
		return "", err
	}
	var dns struct{ Status struct{ ReadyReplicas int } }
	if err := client.Do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", nil, &dns); err != nil {
		return "", err
	}
	if dns.Status.ReadyReplicas == 0 {
		return "CoreDNS", nil
	}
	return "", nil
}

// nodeReady tells whether the node is ready and its kubelet has renewed its lease
// since the node was started: what a node that died has reported stays for a while.
func (k Cluster) nodeReady(ctx context.Context, client *api.Client, name string) (bool, error) {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	var lease struct{ Spec struct{ RenewTime time.Time } }
	for path, object := range map[string]any{
		"/api/v1/nodes/" + name: &node,
		"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + name: &lease,
	} {
		err := client.Do(ctx, http.MethodGet, path, nil, object)
		if api.IsStatus(err, http.StatusNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	started, err := k.table().Since(name)
	if err != nil || lease.Spec.RenewTime.Before(started) {
		return false, err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True", nil
		}
	}
	return false, nil
}
