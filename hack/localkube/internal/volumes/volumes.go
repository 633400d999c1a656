// Package volumes makes PersistentVolumes on demand: a folder of the chosen node for
// each claim of the default storage class, removed with the claim. It is the
// controller that a "local path" provisioner is, without leader election, since
// there is one.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/api"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
)

// Class is the name of the storage class, Provisioner the name it gives for this
// controller.
const (
	Class       = "local"
	Provisioner = "localkube.mesos.dev/local"
)

// Annotations by which the scheduler tells a provisioner the node, and a provisioner
// marks what it made.
const (
	selectedNode  = "volume.kubernetes.io/selected-node"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// folder of the volumes in a node.
const folder = "/var/lib/localkube-volumes"

// period between two looks at claims and volumes.
const period = 500 * time.Millisecond

// The parts of the core types that matter here.
type (
	meta struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace,omitempty"`
		UID         string            `json:"uid,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	claim struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			StorageClassName string   `json:"storageClassName"`
			VolumeName       string   `json:"volumeName"`
			VolumeMode       string   `json:"volumeMode"`
			AccessModes      []string `json:"accessModes"`
			Resources        struct {
				Requests map[string]string `json:"requests"`
			} `json:"resources"`
		} `json:"spec"`
	}
	volume struct {
		APIVersion string     `json:"apiVersion"`
		Kind       string     `json:"kind"`
		Metadata   meta       `json:"metadata"`
		Spec       volumeSpec `json:"spec"`
		Status     struct {
			Phase string `json:"phase,omitempty"`
		} `json:"status,omitzero"`
	}
	volumeSpec struct {
		Capacity      map[string]string `json:"capacity"`
		AccessModes   []string          `json:"accessModes"`
		ReclaimPolicy string            `json:"persistentVolumeReclaimPolicy"`
		Class         string            `json:"storageClassName"`
		ClaimRef      map[string]string `json:"claimRef"`
		Local         struct {
			Path string `json:"path"`
		} `json:"local"`
		NodeAffinity map[string]any `json:"nodeAffinity"`
	}
)

// Run provisions until the context ends.
func Run(ctx context.Context, c config.Config, client *api.Client) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for last := ""; ; {
		err := once(ctx, c, client)
		if now := text(err); now != last { // the API server may be away for long
			log.Printf("provisioning volumes: %s", now)
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func text(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func once(ctx context.Context, c config.Config, client *api.Client) error {
	var claims struct{ Items []claim }
	if err := client.Do(ctx, http.MethodGet, "/api/v1/persistentvolumeclaims", nil, &claims); err != nil {
		return err
	}
	var vols struct{ Items []volume }
	if err := client.Do(ctx, http.MethodGet, "/api/v1/persistentvolumes", nil, &vols); err != nil {
		return err
	}
	create, remove := plan(claims.Items, vols.Items)
	var errs []error // one bad claim must not stop the others
	for _, v := range create {
		errs = append(errs, provision(ctx, c, client, v))
	}
	for _, v := range remove {
		errs = append(errs, reclaim(ctx, c, client, v))
	}
	return errors.Join(errs...)
}

// plan says which volumes to create for claims whose pod has been given a node, and
// which of ours to remove since their claim is gone.
func plan(claims []claim, vols []volume) (create, remove []volume) {
	for _, cl := range claims {
		name := "pvc-" + cl.Metadata.UID
		exists := slices.ContainsFunc(vols, func(v volume) bool { return v.Metadata.Name == name })
		wanted := cl.Spec.StorageClassName == Class && cl.Spec.VolumeName == "" && cl.Spec.VolumeMode != "Block"
		if node := cl.Metadata.Annotations[selectedNode]; wanted && node != "" && !exists {
			create = append(create, volumeFor(cl, name, node))
		}
	}
	for _, v := range vols {
		if v.Metadata.Annotations[provisionedBy] == Provisioner && v.Status.Phase == "Released" && v.Spec.ReclaimPolicy == "Delete" {
			remove = append(remove, v)
		}
	}
	return create, remove
}

func volumeFor(cl claim, name, node string) volume {
	v := volume{
		APIVersion: "v1", Kind: "PersistentVolume",
		Metadata: meta{Name: name, Annotations: map[string]string{provisionedBy: Provisioner, selectedNode: node}},
		Spec: volumeSpec{
			Capacity:      map[string]string{"storage": cl.Spec.Resources.Requests["storage"]},
			AccessModes:   cl.Spec.AccessModes,
			ReclaimPolicy: "Delete",
			Class:         Class,
			ClaimRef: map[string]string{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": cl.Metadata.Namespace, "name": cl.Metadata.Name, "uid": cl.Metadata.UID,
			},
			NodeAffinity: map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{
				"matchExpressions": []any{map[string]any{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{node}}},
			}}}},
		},
	}
	v.Spec.Local.Path = filepath.Join(folder, name)
	return v
}

// hostDir is the volume's folder as the host sees it. The names come from the API
// server: they must be names, not paths.
func hostDir(c config.Config, v volume) (string, error) {
	n, name := v.Metadata.Annotations[selectedNode], v.Metadata.Name
	for _, s := range []string{n, name} {
		if s == "" || s == "." || s == ".." || strings.Contains(s, "/") {
			return "", fmt.Errorf("volume %q on node %q: not a name", name, n)
		}
	}
	return filepath.Join(node.Var(c, n), "lib", filepath.Base(folder), name), nil
}

func provision(ctx context.Context, c config.Config, client *api.Client, v volume) error {
	dir, err := hostDir(c, v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o777); err != nil { // pods run as any user
		return err
	}
	err = client.Do(ctx, http.MethodPost, "/api/v1/persistentvolumes", v, nil)
	if api.IsStatus(err, http.StatusConflict) {
		return nil
	}
	if err == nil {
		log.Printf("made %s for %s/%s", v.Metadata.Name, v.Spec.ClaimRef["namespace"], v.Spec.ClaimRef["name"])
	}
	return err
}

func reclaim(ctx context.Context, c config.Config, client *api.Client, v volume) error {
	dir, err := hostDir(c, v)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	err = client.Do(ctx, http.MethodDelete, "/api/v1/persistentvolumes/"+v.Metadata.Name, nil, nil)
	if api.IsStatus(err, http.StatusNotFound) {
		return nil
	}
	if err == nil {
		log.Printf("removed %s", v.Metadata.Name)
	}
	return err
}
