package chart

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAgreesWithKubectl: whoever installs with kubectl gets what the chart gives whoever
// turns no knob: the same objects with the same rights, and the same pod.
func TestAgreesWithKubectl(t *testing.T) {
	chart := render(t, "mesos-operator", "mesos-system")
	out, failure := run(t, tool(t, "kubectl"), "kustomize", filepath.Join(root, "config/default"))
	if failure != "" {
		t.Fatalf("kubectl kustomize: %s", failure)
	}
	plain := objects(t, out)
	delete(plain, "Namespace /mesos-system") // helm install --create-namespace makes it.
	if diff := cmp.Diff(ids(plain), ids(chart)); diff != "" {
		t.Fatalf("objects (-config +chart):\n%s", diff)
	}
	for id, want := range plain {
		got := chart[id]
		for _, field := range []string{"rules", "roleRef", "subjects", "aggregationRule"} {
			if diff := cmp.Diff(want[field], got[field]); diff != "" {
				t.Errorf("%s of %s (-config +chart):\n%s", field, id, diff)
			}
		}
		if want.text("kind") == "CustomResourceDefinition" {
			if diff := cmp.Diff(want["spec"], got["spec"]); diff != "" {
				t.Errorf("%s differs (-config +chart):\n%s", id, diff)
			}
		}
	}
	comparePods(t, plain, chart)
}

func ids(all map[string]object) map[string]bool {
	out := map[string]bool{}
	for id := range all {
		out[id] = true
	}
	return out
}

// comparePods leaves out the images, and the flags by which the chart repeats defaults.
func comparePods(t *testing.T, plain, chart map[string]object) {
	t.Helper()
	want, got := only(t, plain, "Deployment", ""), only(t, chart, "Deployment", "")
	for _, field := range []string{"serviceAccountName", "securityContext", "enableServiceLinks"} {
		if diff := cmp.Diff(want.at("spec", "template", "spec", field), got.at("spec", "template", "spec", field)); diff != "" {
			t.Errorf("the pod's %s (-config +chart):\n%s", field, diff)
		}
	}
	for _, field := range []string{"securityContext", "resources", "livenessProbe", "readinessProbe", "ports"} {
		if diff := cmp.Diff(container(t, plain)[field], container(t, chart)[field]); diff != "" {
			t.Errorf("the container's %s (-config +chart):\n%s", field, diff)
		}
	}
	has := args(t, chart)
	for _, same := range []string{"masterd-image", "agentd-image"} {
		delete(has, same)
	}
	defaults := map[string]string{"metrics-bind-address": ":8080", "health-probe-bind-address": ":8081", "log-level": "info", "workers": "4"}
	for name, value := range defaults {
		if has[name] == value {
			delete(has, name)
		}
	}
	wants := args(t, plain)
	delete(wants, "masterd-image")
	delete(wants, "agentd-image")
	if diff := cmp.Diff(wants, has); diff != "" {
		t.Errorf("flags (-config +chart):\n%s", diff)
	}
}

// TestTokens: the names that the operator is given are those of the objects that give it
// the rights, whatever the release is called.
func TestTokens(t *testing.T) {
	cases := map[string]struct{ release, namespace, account, flag string }{
		"plain":         {"mesos-operator", "mesos-system", "mesos-operator", ""},
		"another name":  {"blue", "infra", "blue-mesos-operator", ""},
		"own account":   {"blue", "infra", "robot", "--set=serviceAccount.name=robot"},
		"long name":     {strings.Repeat("x", 53), "infra", strings.Repeat("x", 52), ""},
		"one namespace": {"blue", "infra", "blue-mesos-operator", "--set=watchNamespace=mesos"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			extra := []string{}
			if tc.flag != "" {
				extra = append(extra, tc.flag)
			}
			all := render(t, tc.release, tc.namespace, extra...)
			flags := args(t, all)
			if want := tc.namespace + "/" + tc.account; flags["account"] != want {
				t.Errorf("--account=%s, want %s", flags["account"], want)
			}
			binding := only(t, all, "ClusterRoleBinding", "-token-reviewers")
			if binding.text("metadata", "name") != flags["token-reviewers"] {
				t.Errorf("--token-reviewers=%s, but the binding is %s", flags["token-reviewers"], binding.text("metadata", "name"))
			}
			if binding["subjects"] != nil {
				t.Errorf("somebody may review tokens from the start: %v", binding["subjects"])
			}
			reviewer := only(t, all, "ClusterRole", "-token-reviewer")
			if binding.text("roleRef", "name") != reviewer.text("metadata", "name") {
				t.Errorf("the binding grants %s", binding.text("roleRef", "name"))
			}
			rights := only(t, all, "ClusterRole", "-token-reviewers")["rules"]
			want := []any{
				map[string]any{"apiGroups": []any{"rbac.authorization.k8s.io"}, "resources": []any{"clusterrolebindings"}, "resourceNames": []any{flags["token-reviewers"]}, "verbs": []any{"get", "patch"}},
				map[string]any{"apiGroups": []any{"rbac.authorization.k8s.io"}, "resources": []any{"clusterroles"}, "resourceNames": []any{reviewer.text("metadata", "name")}, "verbs": []any{"bind"}},
			}
			if diff := cmp.Diff(want, rights); diff != "" {
				t.Errorf("the operator's rights about the binding:\n%s", diff)
			}
			own := only(t, all, "Role", "-tokens")["rules"].([]any)[0].(map[string]any)
			if diff := cmp.Diff([]any{tc.account}, own["resourceNames"]); diff != "" {
				t.Errorf("whose tokens the operator may make:\n%s", diff)
			}
			for _, o := range []object{only(t, all, "ClusterRoleBinding", "-token-reviewers-operator"), only(t, all, "RoleBinding", "-tokens")} {
				subject := o["subjects"].([]any)[0].(map[string]any)
				if subject["name"] != tc.account || subject["namespace"] != tc.namespace {
					t.Errorf("%s is for %v", o.id(), subject)
				}
			}
			if only(t, all, "ServiceAccount", "").text("metadata", "name") != tc.account {
				t.Error("the account has another name")
			}
		})
	}
}

// TestSwitchedOff: what isn't wanted is not there, and the operator isn't told of it.
func TestSwitchedOff(t *testing.T) {
	all := render(t, "x", "y", "--set=rbac.tokenReview=false,rbac.nodeLabels=false,rbac.userRoles=false,crds.install=false")
	for id := range all {
		for _, part := range []string{"token", "node-labels", "-view", "-edit", "CustomResourceDefinition"} {
			if strings.Contains(id, part) {
				t.Errorf("%s is there", id)
			}
		}
	}
	flags := args(t, all)
	for _, name := range []string{"token-reviewers", "account", "node-labels"} {
		if value, ok := flags[name]; ok {
			t.Errorf("--%s=%s", name, value)
		}
	}
}

// TestOneNamespace: an operator of one namespace has rights in no other, but for what is of
// no namespace.
func TestOneNamespace(t *testing.T) {
	all := render(t, "x", "y", "--set=watchNamespace=mesos")
	if got := args(t, all)["namespace"]; got != "mesos" {
		t.Errorf("--namespace=%s", got)
	}
	for _, o := range all {
		if o.text("kind") != "ClusterRole" || strings.HasSuffix(o.text("metadata", "name"), "-view") || strings.HasSuffix(o.text("metadata", "name"), "-edit") {
			continue
		}
		for _, rule := range o["rules"].([]any) {
			for _, resource := range rule.(map[string]any)["resources"].([]any) {
				switch resource {
				case "nodes", "tokenreviews", "clusterroles", "clusterrolebindings":
				default:
					t.Errorf("%s may do something about %s everywhere", o.id(), resource)
				}
			}
		}
	}
	if role := only(t, all, "Role", "mesos-operator"); role.text("metadata", "namespace") != "mesos" {
		t.Errorf("its rights are in %s", role.text("metadata", "namespace"))
	}
}

func TestKnobs(t *testing.T) {
	all := render(t, "x", "y", "--set=images.registry=", "--set=images.operator.repository=own/operator,images.operator.tag=v2",
		"--set=metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.team=blue,metrics.port=9090",
		"--set=podLabels.team=blue,podAnnotations.note=yes", "--set=tolerations[0].key=a,nodeSelector.b=c,priorityClassName=high,replicas=2")
	if got := container(t, all).text("image"); got != "own/operator:v2" {
		t.Errorf("image %s", got)
	}
	if got := args(t, all)["metrics-bind-address"]; got != ":9090" {
		t.Errorf("metrics at %s", got)
	}
	service, monitor := only(t, all, "Service", "-metrics"), only(t, all, "ServiceMonitor", "")
	if diff := cmp.Diff(only(t, all, "Deployment", "").at("spec", "selector", "matchLabels"), service.at("spec", "selector")); diff != "" {
		t.Errorf("the Service selects others than the Deployment:\n%s", diff)
	}
	for key, value := range monitor.at("spec", "selector", "matchLabels").(map[string]any) {
		if service.text("metadata", "labels", key) != value {
			t.Errorf("the ServiceMonitor doesn't select its Service by %s", key)
		}
	}
	if monitor.text("metadata", "labels", "team") != "blue" {
		t.Error("the ServiceMonitor lacks its label")
	}
	pod := only(t, all, "Deployment", "").at("spec", "template").(map[string]any)
	if got := fmt.Sprint(pod); !strings.Contains(got, "team:blue") || !strings.Contains(got, "note:yes") || !strings.Contains(got, "priorityClassName:high") {
		t.Errorf("the pod: %s", got)
	}
}

// TestOddValues: the schema refuses what would be rendered into nonsense, and names it.
func TestOddValues(t *testing.T) {
	cases := map[string]struct{ set, want string }{
		"a typo":                {"replica=2", "replica"},
		"a typo further down":   {"metrics.prot=1", "prot"},
		"a word for a number":   {"replicas=two", "replicas"},
		"no workers":            {"workers=0", "workers"},
		"too many replicas":     {"replicas=9", "replicas"},
		"a low port":            {"metrics.port=80", "port"},
		"the port of health":    {"metrics.port=8081", "port"},
		"a log level":           {"logLevel=loud", "logLevel"},
		"a pull policy":         {"images.pullPolicy=Sometimes", "pullPolicy"},
		"no repository":         {"images.masterd.repository=", "repository"},
		"a tag with spaces":     {"images.masterd.tag=a b", "tag"},
		"a namespace":           {"watchNamespace=Not_A_Name", "watchNamespace"},
		"an account":            {"serviceAccount.name=Robot!", "name"},
		"a number as a label":   {"podLabels.a=1", "podLabels"},
		"an interval":           {"metrics.serviceMonitor.interval=often", "interval"},
		"a yes":                 {"crds.install=maybe", "install"},
		"secrets without names": {"images.pullSecrets[0].id=x", "pullSecrets"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, failure := run(t, tool(t, "helm"), "template", "x", filepath.Join(root, "charts/mesos-operator"), "--set="+tc.set)
			if !strings.Contains(failure, tc.want) || !strings.Contains(failure, "schema") {
				t.Errorf("--set=%s: %q, want a word on %s", tc.set, failure, tc.want)
			}
		})
	}
}

func TestLint(t *testing.T) {
	out, failure := run(t, tool(t, "helm"), "lint", "--strict", filepath.Join(root, "charts/mesos-operator"))
	if failure != "" || strings.Contains(out, "[WARNING]") || strings.Contains(out, "[ERROR]") {
		t.Errorf("%s\n%s", out, failure)
	}
}

// TestNotes: what a user is told to type has the names that they chose.
func TestNotes(t *testing.T) {
	cases := map[string]struct {
		set  string
		want []string
	}{
		"everywhere":    {"crds.keep=true", []string{"label namespace NAMESPACE pod-security", "kind: MesosCluster", "stay when the chart is uninstalled"}},
		"one namespace": {"watchNamespace=mesos", []string{"for namespace mesos.", "label namespace mesos pod-security", "kubectl apply -n mesos -f"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, failure := run(t, tool(t, "helm"), "install", "x", filepath.Join(root, "charts/mesos-operator"), "--dry-run=client", "--set="+tc.set)
			_, notes, found := strings.Cut(out, "NOTES:")
			if failure != "" || !found {
				t.Fatalf("%s\n%s", failure, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(notes, want) {
					t.Errorf("no %q in:\n%s", want, notes)
				}
			}
		})
	}
}
