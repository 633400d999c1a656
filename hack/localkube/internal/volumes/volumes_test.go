package volumes

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/api"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/pki"
)

// newClaim is a claim whose pod was given node1.
func newClaim(change ...func(*claim)) claim {
	var c claim
	c.Metadata = meta{Name: "data", Namespace: "ns", UID: "u1", Annotations: map[string]string{selectedNode: "node1"}}
	c.Spec.StorageClassName = Class
	c.Spec.AccessModes = []string{"ReadWriteOnce"}
	c.Spec.Resources.Requests = map[string]string{"storage": "1Gi"}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newVolume(change ...func(*volume)) volume {
	v := volumeFor(newClaim(), "pvc-u1", "node1")
	for _, f := range change {
		f(&v)
	}
	return v
}

func TestPlan(t *testing.T) {
	released := func(v *volume) { v.Status.Phase = "Released" }
	tests := map[string]struct {
		claims         []claim
		volumes        []volume
		create, remove []string
	}{
		"a claim with a node":       {[]claim{newClaim()}, nil, []string{"pvc-u1"}, nil},
		"no pod uses the claim yet": {[]claim{newClaim(func(c *claim) { c.Metadata.Annotations = nil })}, nil, nil, nil},
		"another class":             {[]claim{newClaim(func(c *claim) { c.Spec.StorageClassName = "ssd" })}, nil, nil, nil},
		"already bound":             {[]claim{newClaim(func(c *claim) { c.Spec.VolumeName = "pvc-u1" })}, nil, nil, nil},
		"a device, which we can't":  {[]claim{newClaim(func(c *claim) { c.Spec.VolumeMode = "Block" })}, nil, nil, nil},
		"made, but not bound yet":   {[]claim{newClaim()}, []volume{newVolume()}, nil, nil},
		"the claim is gone":         {nil, []volume{newVolume(released)}, nil, []string{"pvc-u1"}},
		"in use":                    {nil, []volume{newVolume(func(v *volume) { v.Status.Phase = "Bound" })}, nil, nil},
		"to be kept by its policy":  {nil, []volume{newVolume(released, func(v *volume) { v.Spec.ReclaimPolicy = "Retain" })}, nil, nil},
		"not ours, though released": {nil, []volume{newVolume(released, func(v *volume) { v.Metadata.Annotations = nil })}, nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			create, remove := plan(tt.claims, tt.volumes)
			if d := cmp.Diff(tt.create, names(create)); d != "" {
				t.Errorf("create (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.remove, names(remove)); d != "" {
				t.Errorf("remove (-want +got):\n%s", d)
			}
		})
	}
}

func names(vs []volume) []string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Metadata.Name)
	}
	return out
}

func TestNamesCantLeaveTheNodesFolder(t *testing.T) {
	c := config.Config{RunDir: "/run/x"}
	tests := map[string]struct{ node, name string }{
		"name with a slash": {"node1", "../etc"},
		"node is a parent":  {"..", "pvc-u1"},
		"node with a slash": {"node1/../..", "pvc-u1"},
		"no node":           {"", "pvc-u1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, err := hostDir(c, newVolume(func(v *volume) {
				v.Metadata.Name = tt.name
				v.Metadata.Annotations[selectedNode] = tt.node
			}))
			if err == nil {
				t.Errorf("hostDir() = %s, want an error", dir)
			}
		})
	}
}

// TestOnce drives a whole life of a volume against a fake API server that keeps
// what it is sent.
func TestOnce(t *testing.T) {
	claims, vols := []claim{newClaim()}, []volume{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/persistentvolumeclaims", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"items": claims})
	})
	mux.HandleFunc("GET /api/v1/persistentvolumes", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"items": vols})
	})
	mux.HandleFunc("POST /api/v1/persistentvolumes", func(w http.ResponseWriter, r *http.Request) {
		var v volume
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		vols = append(vols, v)
	})
	mux.HandleFunc("DELETE /api/v1/persistentvolumes/pvc-u1", func(http.ResponseWriter, *http.Request) { vols = nil })
	client := serve(t, mux)
	c := config.Config{RunDir: t.TempDir()}

	run := func() {
		t.Helper()
		if err := once(context.Background(), c, client); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if len(vols) != 1 || vols[0].Spec.Capacity["storage"] != "1Gi" || vols[0].Spec.ClaimRef["uid"] != "u1" {
		t.Fatalf("volumes after the first look: %+v", vols)
	}
	dir := filepath.Join(c.RunDir, "nodes/node1/var", "lib/localkube-volumes/pvc-u1")
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o777 {
		t.Fatalf("the volume's folder: %v, %v", fi, err)
	}
	run()
	if len(vols) != 1 {
		t.Errorf("%d volumes after the second look", len(vols))
	}
	claims, vols[0].Status.Phase = nil, "Released"
	run()
	if _, err := os.Stat(dir); len(vols) != 0 || err == nil {
		t.Errorf("after the claim is gone: %d volumes, folder: %v", len(vols), err)
	}
}

// serve returns a client of a TLS server, with files as localkube makes them.
func serve(t *testing.T, h http.Handler) *api.Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca := filepath.Join(dir, "server.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := pki.Open(dir, s.Certificate().NotBefore)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Issue("client", pki.Identity{Name: "volumes"}); err != nil {
		t.Fatal(err)
	}
	client, err := api.New(s.URL, ca, a.CertFile("client"), a.KeyFile("client"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}
