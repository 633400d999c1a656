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
	var object struct {
		Status struct {
			ReadyReplicas int
			Conditions    []struct{ Type, Status string }
		}
	}
	for _, n := range k.Config.AllNodes() {
		object.Status.Conditions = nil
		err := client.Do(ctx, http.MethodGet, "/api/v1/nodes/"+n.Name, nil, &object)
		if err != nil && !api.IsStatus(err, http.StatusNotFound) {
			return "", err
		}
		ready := false
		for _, c := range object.Status.Conditions {
			ready = ready || (c.Type == "Ready" && c.Status == "True")
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
	if err := client.Do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", nil, &object); err != nil {
		return "", err
	}
	if object.Status.ReadyReplicas == 0 {
		return "CoreDNS", nil
	}
	return "", nil
}
