package cluster

import (
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
)

// listed are the accounts of a namespace that may review tokens.
func (w *world) listed() []string {
	w.t.Helper()
	binding := &rbacv1.ClusterRoleBinding{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Name: tokenReviewers}, binding))
	var names []string
	for _, subject := range binding.Subjects {
		if subject.Namespace == w.namespace {
			names = append(names, subject.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestReviewers(t *testing.T) {
	w := newWorld(t)
	other := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "other", Namespace: w.namespace}
	binding := &rbacv1.ClusterRoleBinding{}
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: tokenReviewers}, binding))
	binding.Subjects = append(binding.Subjects, other)
	w.must(w.client.Update(t.Context(), binding))
	want := func(when string, names ...string) {
		t.Helper()
		if got := w.listed(); !slices.Equal(got, append(names, "other")) {
			t.Errorf("%s: %v may review tokens, want %v", when, got, names)
		}
	}
	c := w.plain()
	c.Spec.AgentPools = nil
	w.create(c)
	w.step()
	want("a cluster without authentication")
	w.must(w.change(func(c *v1alpha1.MesosCluster) {
		c.Spec.Authentication.ServiceAccounts = &v1alpha1.ServiceAccountTokens{}
	}))
	w.step()
	want("with it", "demo-agent", "demo-master")
	if got := w.leaders.tracked[len(w.leaders.tracked)-1].Audience; got != "mesos" {
		t.Errorf("the operator asks with a token for %q", got)
	}
	w.writes = nil
	w.step()
	if slices.Contains(w.writes, "patch "+tokenReviewers) {
		t.Error("what is as it should be is written again")
	}
	// The masters have the right now, and nothing more.
	masters := w.as("system:serviceaccount:" + w.namespace + ":demo-master")
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "nonsense"}}
	w.must(masters.Create(t.Context(), review))
	if review.Status.Authenticated {
		t.Error("nonsense is a token")
	}
	if err := masters.List(t.Context(), &corev1.SecretList{}); !apierrors.IsForbidden(err) {
		t.Errorf("the masters read secrets: %v", err)
	}
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.Authentication.ServiceAccounts = nil }))
	w.step()
	want("without it again")
	w.must(w.change(func(c *v1alpha1.MesosCluster) {
		c.Spec.Authentication.ServiceAccounts = &v1alpha1.ServiceAccountTokens{Audiences: []v1alpha1.Audience{"a", "b"}}
	}))
	w.step()
	want("with others", "demo-agent", "demo-master")
	w.must(w.client.Delete(t.Context(), w.cluster()))
	for range 20 {
		if w.gone() {
			break
		}
		w.step()
		if w.existsStatefulSet() {
			w.collect(w.statefulSet())
		}
	}
	want("after the cluster")
}

// as is a client that has a user's rights.
func (w *world) as(user string) client.Client {
	w.t.Helper()
	config := rest.CopyConfig(apiServer)
	config.Impersonate.UserName = user
	c, err := client.New(config, client.Options{Scheme: testScheme()})
	w.must(err)
	return c
}

// TestOperatorGrantsNothingElse: no other binding can be changed, and the one can't be made
// to say anything else.
func TestOperatorGrantsNothingElse(t *testing.T) {
	w := newWorld(t)
	operator := w.as(operatorUser)
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "x", Namespace: w.namespace}
	admins := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}}
	before := admins.DeepCopy()
	admins.Subjects = []rbacv1.Subject{subject}
	if err := operator.Patch(t.Context(), admins, client.MergeFrom(before)); !apierrors.IsForbidden(err) {
		t.Errorf("another binding: %v", err)
	}
	made := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "made-" + w.namespace}, Subjects: []rbacv1.Subject{subject},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "mesos-operator-token-reviewer"},
	}
	if err := operator.Create(t.Context(), made); !apierrors.IsForbidden(err) {
		t.Errorf("a binding of its own: %v", err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mesos-operator-token-reviewer"}}
	wider := role.DeepCopy()
	wider.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}
	if err := operator.Patch(t.Context(), wider, client.MergeFrom(role)); !apierrors.IsForbidden(err) {
		t.Errorf("a wider role: %v", err)
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "nonsense"}}
	if err := operator.Create(t.Context(), review); !apierrors.IsForbidden(err) {
		t.Errorf("it reviews tokens itself: %v", err)
	}
}

// TestOperatorHasNoReviewers: a cluster that asks for what the installation left out says so.
func TestOperatorHasNoReviewers(t *testing.T) {
	w := newWorld(t)
	w.r.tokenReviewers = ""
	c := w.plain()
	c.Spec.Authentication.ServiceAccounts = &v1alpha1.ServiceAccountTokens{}
	w.create(c)
	if err := w.tryStep(); err == nil || !strings.Contains(err.Error(), "--token-reviewers") {
		t.Errorf("error %v", err)
	}
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.Authentication.ServiceAccounts = nil }))
	w.step()
}

// TestOperatorsTokens: the operator's tokens are its own and good for the audience alone.
func TestOperatorsTokens(t *testing.T) {
	w := newWorld(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "mesos-system", Name: "mesos-operator"}}
	w.must(client.IgnoreAlreadyExists(w.client.Create(t.Context(), account)))
	tokens := leader.NewAccountTokens(w.as(operatorUser), types.NamespacedName{Namespace: "mesos-system", Name: "mesos-operator"}, []string{"own"})
	token, err := tokens.Token(t.Context(), "mesos")
	w.must(err)
	if again, err := tokens.Token(t.Context(), "mesos"); err != nil || again != token {
		t.Errorf("a second token is made: %v", err)
	}
	for audience, want := range map[string]bool{"mesos": true, "other": false, "": false} {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		if audience != "" {
			review.Spec.Audiences = []string{audience}
		}
		w.must(w.client.Create(t.Context(), review))
		if review.Status.Authenticated != want {
			t.Errorf("for audience %q: %v", audience, review.Status)
		}
		if want && review.Status.User.Username != operatorUser {
			t.Errorf("it is the token of %s", review.Status.User.Username)
		}
	}
	if _, err := tokens.Token(t.Context(), "own"); err == nil {
		t.Error("a token for the API server is shown")
	}
	other := leader.NewAccountTokens(w.as(operatorUser), types.NamespacedName{Namespace: "mesos-system", Name: "default"}, nil)
	if _, err := other.Token(t.Context(), "mesos"); !apierrors.IsForbidden(err) {
		t.Errorf("tokens of others: %v", err)
	}
}
