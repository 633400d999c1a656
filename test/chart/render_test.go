package chart

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../.."

// tool finds a program that `make envtest-assets` has built.
func tool(t *testing.T, name string) string {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, "bin/envtest")
	}
	path := filepath.Join(assets, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s: set KUBEBUILDER_ASSETS, or run `make envtest-assets`", name)
	}
	return path
}

// run returns standard output, and what was said otherwise if the program fails.
func run(t *testing.T, program string, args ...string) (out, failure string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), program, args...)
	// Helm keeps caches and reads a kubeconfig: neither is wanted of the machine's.
	home := t.TempDir()
	c.Env = []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none"), "PATH=" + os.Getenv("PATH")}
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return stdout.String(), strings.TrimSpace(stderr.String() + "\n" + err.Error())
	}
	return stdout.String(), ""
}

// object is one of a rendered manifest's.
type object map[string]any

func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (o object) text(path ...string) string {
	s, _ := o.at(path...).(string)
	return s
}

// id tells objects of one manifest apart.
func (o object) id() string {
	return o.text("kind") + " " + o.text("metadata", "namespace") + "/" + o.text("metadata", "name")
}

// objects reads a manifest.
func objects(t *testing.T, manifest string) map[string]object {
	t.Helper()
	out := map[string]object{}
	for _, text := range strings.Split("\n"+manifest, "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if len(o) == 0 {
			continue
		}
		if _, twice := out[o.id()]; twice {
			t.Errorf("%s is there twice", o.id())
		}
		out[o.id()] = o
	}
	return out
}

// render is `helm template` of the chart.
func render(t *testing.T, release, namespace string, args ...string) map[string]object {
	t.Helper()
	out, failure := run(t, tool(t, "helm"), append([]string{"template", release, filepath.Join(root, "charts/mesos-operator"), "--namespace=" + namespace}, args...)...)
	if failure != "" {
		t.Fatalf("helm template: %s", failure)
	}
	return objects(t, out)
}

// only returns the one object of a kind whose name ends so.
func only(t *testing.T, all map[string]object, kind, suffix string) object {
	t.Helper()
	var found []object
	for _, o := range all {
		if o.text("kind") == kind && strings.HasSuffix(o.text("metadata", "name"), suffix) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects %s …%s", len(found), kind, suffix)
	}
	return found[0]
}

// container is the operator's.
func container(t *testing.T, all map[string]object) object {
	t.Helper()
	list, _ := only(t, all, "Deployment", "").at("spec", "template", "spec", "containers").([]any)
	if len(list) != 1 {
		t.Fatalf("%d containers", len(list))
	}
	return object(list[0].(map[string]any))
}

func args(t *testing.T, all map[string]object) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, _ := container(t, all).at("args").([]any)
	for _, arg := range list {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg.(string), "--"), "=")
		out[name] = value
	}
	return out
}
