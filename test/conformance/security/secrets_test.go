package security

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestSecretsOfKubernetes: an agent gives tasks the Secrets that its account may get,
// of a real API server, and no others.
func TestSecretsOfKubernetes(t *testing.T) {
	k := startKubernetes(t)
	for name, data := range map[string]map[string][]byte{
		"db":    {"user": []byte("admin"), "password": []byte("s3cret")},
		"token": {"value": []byte("only-one")},
		"other": {"password": []byte("not for tasks")},
	} {
		k.must(k.client.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: data}))
	}
	meta := metav1.ObjectMeta{Namespace: "default", Name: "tasks-secrets"}
	k.must(k.client.Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"db", "token", "gone"}, Verbs: []string{"get"}}}}))
	k.must(k.client.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: k.masters.Name}}}))

	m := testbed.StartMaster(t)
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--secret_resolver=kubernetes", "--kube_secrets_namespace=default")
	k.inPod(a.Process)
	a.Start()
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	tests := map[string]struct{ secret, key, want, problem string }{
		"an entry":          {"db", "password", "s3cret", ""},
		"the only entry":    {"token", "", "only-one", ""},
		"one of several":    {"db", "", "", "needs a key"},
		"no such entry":     {"db", "port", "", "not found"},
		"no such Secret":    {"gone", "x", "", "not found"},
		"another's Secret":  {"other", "password", "", "403"},
		"not even a Secret": {"../pods", "x", "", "invalid"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			offer := f.Offer()
			reference := testbed.Object{"name": c.secret}
			if c.key != "" {
				reference["key"] = c.key
			}
			id := strings.ReplaceAll(name, " ", "-")
			task := testbed.Task(offer, id, `test "$VALUE" = "`+c.want+`"`)
			task["command"].(testbed.Object)["environment"] = testbed.Object{"variables": testbed.List{testbed.Object{
				"name": "VALUE", "type": "SECRET", "secret": testbed.Object{"type": "REFERENCE", "reference": reference}}}}
			f.Accept(offer, testbed.Launch(task))
			if c.problem == "" {
				f.Follow(id, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
				return
			}
			if failed := f.Follow(id, "TASK_FAILED"); !strings.Contains(failed.At("message").Text(), c.problem) {
				t.Errorf("failed with %v, want %q", failed.At("message"), c.problem)
			}
		})
	}
	if log := a.Log(); strings.Contains(log, "s3cret") || strings.Contains(log, "only-one") {
		t.Error("the log has a secret")
	}
}
