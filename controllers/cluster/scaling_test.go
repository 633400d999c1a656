package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

func (w *world) scale(masters int32) {
	w.t.Helper()
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.Masters.Replicas = masters }))
}

// listed is how many masters the list of peers names, and pods how many there are to be.
func (w *world) expectGroup(listed, pods int32) {
	w.t.Helper()
	peers := &corev1.ConfigMap{}
	w.get("demo-peers", peers)
	if got, n := resources.Members(peers), *w.statefulSet().Spec.Replicas; got != listed || n != pods {
		w.t.Errorf("%d masters are listed and %d run, want %d and %d", got, n, listed, pods)
	}
}

// claim plays the StatefulSet controller.
func (w *world) claimOf(ordinal int32) string {
	w.t.Helper()
	name := resources.MasterClaimName(w.cluster(), ordinal)
	w.must(w.client.Create(w.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: resources.PodSelector(w.cluster(), v1alpha1.RoleMaster)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}))
	return name
}

func TestScaling(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.claimOf(0)
	old := w.claimOf(1) // of some earlier time
	template := w.statefulSet().Spec.Template

	w.scale(3)
	w.step() // Nobody joins while a former member's claim is there.
	w.expectGroup(1, 1)
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonScalingMasters, "claims of former masters")
	w.finishClaim(old)
	w.step()
	w.expectGroup(3, 3)
	if got := w.statefulSet().Spec.Template; !equal(got, template) {
		t.Errorf("the pods' template changed with their number, which restarts the masters:\n%v\n%v", got, template)
	}
	role := &rbacv1.Role{}
	w.get("demo-master", role)
	if got := role.Rules[0].ResourceNames; len(got) != 3 {
		t.Errorf("masters may label %q", got)
	}
	leading := &corev1.Pod{}
	w.get("demo-master-0", leading)
	if leading.Annotations[v1alpha1.AnnotationMembers] != "3" {
		t.Errorf("the leading master's pod was not told: %v", leading.Annotations)
	}

	w.rollMasters(3)
	w.vote(1, 1, 3)
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMastersNotReady, "1 of 3 masters vote")
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonScalingMasters, "1 of 3 masters vote")
	w.vote(3, 3, 3)
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "3 of 3 masters")
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonHealthy, "")

	// Two leave: the list first, their pods when only the one that stays has a vote.
	claims := []string{w.claimOf(1), w.claimOf(2)}
	w.scale(1)
	w.step()
	w.expectGroup(1, 3)
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonScalingMasters, "2 of 3 masters leave the group: 3 vote")
	w.vote(1, 1, 3) // An answer of another time: the list was not read yet.
	w.restart()
	w.step()
	w.expectGroup(1, 3)
	w.vote(1, 1, 1)
	w.step()
	w.expectGroup(1, 1)
	for _, name := range claims {
		if claim := (&corev1.PersistentVolumeClaim{}); w.get(name, claim) && !claim.DeletionTimestamp.IsZero() {
			t.Errorf("claim %s goes before its pod", name)
		}
	}
	w.rollMasters(1)
	w.step()
	for _, name := range claims {
		w.finishClaim(name)
	}
	w.step()
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonStable, "")
	if !w.get(resources.MasterClaimName(w.cluster(), 0), &corev1.PersistentVolumeClaim{}) {
		t.Error("the claim of the master that stays is gone")
	}
	if all := w.events(); !strings.Contains(all, "ScalingMasters the masters become 3, of 1") || !strings.Contains(all, "become 1, of 3") {
		t.Errorf("events:\n%s", all)
	}
}

func equal(a, b corev1.PodTemplateSpec) bool { return a.String() == b.String() }

// finishClaim plays the controller that protects claims in use.
func (w *world) finishClaim(name string) {
	w.t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	if !w.get(name, claim) {
		return
	}
	if claim.DeletionTimestamp.IsZero() {
		w.t.Fatalf("claim %s was not deleted", name)
	}
	claim.Finalizers = nil
	w.must(client.IgnoreNotFound(w.client.Update(w.t.Context(), claim)))
}

// A StatefulSet that somebody has scaled down, or deleted, gets its masters back: the list
// of peers says that they are members, whoever leads.
func TestMembersAreRestored(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.Masters.Replicas = 3
	w.create(c)
	w.step()
	set := w.statefulSet()
	set.Spec.Replicas = new(int32(0))
	w.must(w.client.Update(t.Context(), set))
	w.step()
	w.expectGroup(3, 3)
	w.must(w.client.Delete(t.Context(), w.statefulSet()))
	w.step()
	w.expectGroup(3, 3)
	w.must(w.client.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "demo-peers", Namespace: w.namespace}}))
	w.step()
	w.expectGroup(3, 3)
}

// The claims of an earlier MesosCluster, retained, hold a group of three: it comes up as
// such before it becomes what is wanted now.
func TestRetainedClaimsAreAGroup(t *testing.T) {
	w := newWorld(t)
	w.create(w.plain())
	for i := range int32(3) {
		w.claimOf(i)
	}
	w.step()
	w.expectGroup(3, 3)
}

func TestMastersAreUpgradedOneByOne(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.Masters.Replicas = 3
	w.create(c)
	w.step()
	w.rollMasters(3)
	leads := "demo-master-2"
	run := func(name, revision string) {
		extra := map[string]string{appsv1.StatefulSetRevisionLabel: revision}
		if name == leads {
			extra[v1alpha1.LabelLeader] = "true"
		}
		w.runMaster(name, extra)
	}
	for i := range 3 {
		run(fmt.Sprintf("demo-master-%d", i), "old")
	}
	w.rollDaemons("demo-agent-small", 2, 2)
	w.answer(2, "")
	set := w.statefulSet()
	set.Status.CurrentRevision, set.Status.UpdateRevision = "old", "new"
	w.must(w.client.Status().Update(t.Context(), set))
	// The disruption controller's part.
	budget := &policyv1.PodDisruptionBudget{}
	allow := func(n int32) {
		w.get("demo-master", budget)
		budget.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: budget.Generation, DisruptionsAllowed: n, ExpectedPods: 3, CurrentHealthy: 3, DesiredHealthy: 2}
		w.must(w.client.Status().Update(t.Context(), budget))
	}
	allow(0)
	w.step()
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonUpgradingMasters, "another disruption")

	var order []string
	for range 3 {
		allow(1)
		w.vote(3, 2, 3)
		before := w.masterNames()
		w.step() // One is not up to date yet.
		w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonUpgradingMasters, "until all are up to date")
		if got := w.masterNames(); !slices.Equal(got, before) {
			t.Fatalf("%v became %v", before, got)
		}
		w.vote(3, 3, 3)
		w.step()
		allow(1)
		w.step() // The evicted one is not back, so the next has to wait.
		after := w.masterNames()
		if len(after) != 2 {
			t.Fatalf("masters after a replacement: %v", after)
		}
		gone := slices.DeleteFunc(before, func(n string) bool { return slices.Contains(after, n) })[0]
		order = append(order, gone)
		if gone == leads {
			leads = ""
		}
		run(gone, "new")
	}
	if want := []string{"demo-master-1", "demo-master-0", "demo-master-2"}; !slices.Equal(order, want) {
		t.Errorf("replaced %q, want the leader last: %q", order, want)
	}
	if all := w.events(); !strings.Contains(all, "UpgradingMasters replacing demo-master-1: 0 of 3") {
		t.Errorf("events:\n%s", all)
	}
}

// masterNames lists the masters' pods that run. An evicted pod that no kubelet had goes at once.
func (w *world) masterNames() []string {
	w.t.Helper()
	var names []string
	pods := &corev1.PodList{}
	w.must(w.client.List(w.t.Context(), pods, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRole: v1alpha1.RoleMaster}))
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp.IsZero() {
			names = append(names, pods.Items[i].Name)
		}
	}
	return names
}

// When nobody leads, an upgrade goes on after a while: it may be the cure.
func TestUpgradeWithoutALeader(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.Masters.Replicas = 3
	w.create(c)
	w.step()
	w.rollMasters(3)
	for i := range 3 {
		w.runMaster(fmt.Sprintf("demo-master-%d", i), map[string]string{appsv1.StatefulSetRevisionLabel: "old"})
	}
	set := w.statefulSet()
	set.Status.UpdateRevision = "new"
	w.must(w.client.Status().Update(t.Context(), set))
	budget := &policyv1.PodDisruptionBudget{}
	w.get("demo-master", budget)
	budget.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: budget.Generation, DisruptionsAllowed: 1, ExpectedPods: 3, CurrentHealthy: 3, DesiredHealthy: 2}
	w.must(w.client.Status().Update(t.Context(), budget))
	w.step()
	w.step()
	if got := w.masterNames(); len(got) != 3 {
		t.Fatalf("a master was replaced at once: %v are left", got)
	}
	condition := meta.FindStatusCondition(w.cluster().Status.Conditions, v1alpha1.ConditionMastersReady)
	w.r.now = func() time.Time { return condition.LastTransitionTime.Add(2 * leaderless) }
	w.step()
	if got := w.masterNames(); len(got) != 2 {
		t.Fatalf("no master was replaced: %v", got)
	}
}

// An operator of before replaced masters by the StatefulSet's own order.
func TestUpdateStrategyIsTakenOver(t *testing.T) {
	w := newWorld(t)
	w.create(w.plain())
	w.step()
	set := w.statefulSet()
	set.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{
		Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(0))},
	}
	w.must(w.client.Update(t.Context(), set))
	w.step()
	if got := w.statefulSet().Spec.UpdateStrategy.Type; got != appsv1.OnDeleteStatefulSetStrategyType {
		t.Errorf("the strategy is %s", got)
	}
}
