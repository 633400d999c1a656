package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

func layers(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for i := range n {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("layer", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "mark"), []byte(fmt.Sprint(i)), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, dir)
	}
	return out
}

func TestProvision(t *testing.T) {
	tests := map[string]struct {
		layers int
		want   func(rootfs, dir string, layers []string) []launch.Mount // nil is an error
	}{
		Overlay: {3, func(rootfs, dir string, _ []string) []launch.Mount {
			return []launch.Mount{{Dir: filepath.Join(dir, "scratch/id/links"), Type: "overlay", Source: "overlay", Target: rootfs,
				Data: "lowerdir=2:1:0,upperdir=../upperdir,workdir=../workdir"}}
		}},
		Bind: {1, func(rootfs, _ string, layers []string) []launch.Mount {
			return []launch.Mount{{Source: layers[0], Target: rootfs, ReadOnly: true}}
		}},
		Copy: {2, func(rootfs, _ string, _ []string) []launch.Mount {
			return []launch.Mount{{Source: rootfs, Target: rootfs}}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := New(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			rootfs, all := filepath.Join(dir, "rootfses/id"), layers(t, tt.layers)
			got, err := b.Provision(t.Context(), all, rootfs, dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want(rootfs, dir, all), got); diff != "" {
				t.Error(diff)
			}
			if info, err := os.Stat(rootfs); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("the root is %v, %v", info, err)
			}
			if b.Name() == Copy {
				if data, err := os.ReadFile(filepath.Join(rootfs, "mark")); string(data) != "1" {
					t.Errorf("the topmost layer's file is %q, %v", data, err)
				}
			}
		})
	}
}

func TestProvisionRefuses(t *testing.T) {
	for name, wrong := range map[string][]int{Overlay: {0, 501}, Bind: {0, 2}, Copy: {0}} {
		b, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range wrong {
			if _, err := b.Provision(t.Context(), make([]string, n), filepath.Join(t.TempDir(), "x"), t.TempDir()); !errors.Is(err, ErrLayers) {
				t.Errorf("%s of %d layers: %v", name, n, err)
			}
		}
	}
}

// The kernel takes a page of options, and 500 layers have to fit.
func TestOptionsAreShort(t *testing.T) {
	dir := t.TempDir()
	got, err := overlay{}.Provision(t.Context(), slices.Repeat([]string{"/layer"}, maxLayers), filepath.Join(dir, "rootfses/id"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got[0].Data); n >= os.Getpagesize() {
		t.Errorf("%d bytes", n)
	}
}

func TestChoose(t *testing.T) {
	dir := t.TempDir()
	var passed []string
	best, err := Choose("", dir, func(name string, reason error) {
		passed = append(passed, name)
		if !errors.Is(reason, ErrUnsuitable) {
			t.Errorf("%s is passed over for %v", name, reason)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// What the machine can do decides: overlay, or copy after overlay was passed over.
	if want := map[int]string{0: Overlay, 1: Copy}[len(passed)]; best.Name() != want {
		t.Errorf("chose %s after %v", best.Name(), passed)
	}
	for _, name := range []string{Bind, Copy} {
		if b, err := Choose(name, dir, nil); err != nil || b.Name() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"aufs", "x"} {
		if _, err := Choose(name, dir, nil); err == nil {
			t.Errorf("%s was chosen", name)
		}
	}
	if _, err := Choose(Overlay, filepath.Join(dir, "nowhere"), nil); !errors.Is(err, ErrUnsuitable) {
		t.Errorf("in a directory that isn't there: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left of probes, %v", left, err)
	}
}

func TestTypesOfEntries(t *testing.T) {
	entry := func(kind byte) []byte {
		b := make([]byte, 24)
		b[direntLength], b[direntType] = 24, kind
		return b
	}
	if !allTyped(append(entry(4), entry(8)...)) || allTyped(append(entry(4), entry(0)...)) {
		t.Error("types of entries are not told apart")
	}
	if !allTyped(nil) || !allTyped(make([]byte, 24)) {
		t.Error("what is no entry has a type")
	}
}
