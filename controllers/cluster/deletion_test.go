package cluster

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

func (w *world) exists(name string) bool { return w.get(name, &appsv1.DaemonSet{}) }

func (w *world) phase(pool string) v1alpha1.PoolPhase {
	w.t.Helper()
	for _, status := range w.cluster().Status.Pools {
		if status.Name == pool {
			return status.Phase
		}
	}
	return ""
}

// claim plays the StatefulSet controller.
func (w *world) claim(name string) {
	w.t.Helper()
	w.must(w.client.Create(w.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: w.statefulSet().Spec.VolumeClaimTemplates[0].Labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}))
}

// claimed tells whether a claim is there and not on its way out: the API server
// keeps it until the controller that protects claims, which is not here, lets it go.
func (w *world) claimed(name string) bool {
	w.t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	return w.get(name, claim) && claim.DeletionTimestamp.IsZero()
}

func (w *world) gone() bool {
	w.t.Helper()
	return !w.get("demo", &v1alpha1.MesosCluster{})
}

func TestDeletionCleansNodesThenMastersThenClaims(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.claim("data-demo-master-0")
	w.must(w.client.Delete(t.Context(), w.cluster()))

	w.step()
	if !terminating(w.daemonSet("demo-agent-small")) {
		t.Fatal("the agents were not stopped")
	}
	w.step()
	if w.exists("demo-cleanup-small") {
		t.Fatal("cleaning began while agents run")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "stopping the agents of pool small")

	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-agent-small"}})
	w.step()
	cleanup := w.daemonSet("demo-cleanup-small")
	if got := cleanup.Spec.Template.Spec.NodeSelector["pool"]; got != "small" {
		t.Errorf("cleaning visits nodes with pool=%q", got)
	}
	if args := cleanup.Spec.Template.Spec.InitContainers[0].Args; !slices.Contains(args, "--work_dir=/var/lib/mesos-operator/"+w.namespace+"_demo_small") {
		t.Errorf("cleaning removes %q", args)
	}

	w.rollDaemons("demo-cleanup-small", 2, 1)
	w.step()
	if !w.exists("demo-agent-small") {
		t.Fatal("the pool was let go with one node dirty")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "cleaning pool small: 1 of 2 nodes are clean")

	w.restart()
	w.rollDaemons("demo-cleanup-small", 2, 2)
	w.step()
	if w.exists("demo-agent-small") {
		t.Fatal("the pool was kept although its nodes are clean")
	}
	w.step()
	if !terminating(w.daemonSet("demo-cleanup-small")) {
		t.Fatal("the clean-up stays")
	}
	if w.statefulSet().DeletionTimestamp != nil {
		t.Fatal("the masters went before the clean-up")
	}
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-cleanup-small"}})

	w.step()
	if w.statefulSet().DeletionTimestamp == nil {
		t.Fatal("the masters were not stopped")
	}
	w.step()
	if !w.claimed("data-demo-master-0") {
		t.Fatal("a claim was deleted under its master")
	}
	w.collect(&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-master"}})

	w.step()
	if w.claimed("data-demo-master-0") {
		t.Error("the claim stays")
	}
	if !w.gone() {
		t.Errorf("the MesosCluster stays with finalizers %q", w.cluster().Finalizers)
	}
	w.step() // Of a cluster that is gone: nothing to do, nothing to fail.
}

func TestDeletionRetainsClaimsIfAsked(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.AgentPools = nil
	c.Spec.Masters.Storage.Reclaim = v1alpha1.ReclaimRetain
	w.create(c)
	w.step()
	w.claim("data-demo-master-0")
	w.must(w.client.Delete(t.Context(), w.cluster()))
	w.step()
	w.collect(&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-master"}})
	w.step()
	if !w.gone() || !w.claimed("data-demo-master-0") {
		t.Errorf("cluster gone: %v, claim kept: %v", w.gone(), w.claimed("data-demo-master-0"))
	}
}

func TestDeletionGivesUpOnNodesIfAsked(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.must(w.client.Delete(t.Context(), w.cluster()))
	w.step()
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-agent-small"}})
	w.step()
	w.rollDaemons("demo-cleanup-small", 2, 1)
	w.step()
	if !w.exists("demo-agent-small") {
		t.Fatal("gave up unasked")
	}
	w.must(w.change(func(c *v1alpha1.MesosCluster) {
		c.Annotations = map[string]string{v1alpha1.AnnotationSkipCleanup: "true"}
	}))
	w.step()
	w.step()
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-cleanup-small"}})
	w.step()
	w.collect(&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-master"}})
	w.step()
	if !w.gone() {
		t.Error("the MesosCluster stays")
	}
	if all := w.events(); !strings.Contains(all, "Warning CleanupSkipped") {
		t.Errorf("events:\n%s", all)
	}
}

func TestANamespaceThatGoesIsNotHeldUp(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.must(w.client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}))
	w.must(w.client.Delete(t.Context(), w.cluster()))
	w.step()
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-agent-small"}})
	w.step()
	if w.exists("demo-agent-small") {
		t.Fatal("the agents' DaemonSet keeps its namespace")
	}
	w.step()
	w.collect(&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-master"}})
	w.step()
	if !w.gone() {
		t.Error("the MesosCluster keeps its namespace")
	}
	if all := w.events(); !strings.Contains(all, "Warning CleanupImpossible") {
		t.Errorf("events:\n%s", all)
	}
}

func TestAPoolThatLeavesTheSpecIsCleaned(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.AgentPools = []v1alpha1.AgentPool{plainPool("large")} }))
	w.step()
	if got := w.phase("small"); got != v1alpha1.PoolDraining {
		t.Errorf("pool small is %s", got)
	}
	if !w.exists("demo-agent-large") {
		t.Error("pool large waits for pool small")
	}
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "stopping the agents of pool small")
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-agent-small"}})
	w.step()
	if got := w.phase("small"); got != v1alpha1.PoolCleaning {
		t.Errorf("pool small is %s", got)
	}
	w.rollDaemons("demo-cleanup-small", 0, 0) // Its nodes are gone altogether.
	w.step()
	w.step()
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-cleanup-small"}})
	w.step()
	if got := w.phase("small"); got != "" {
		t.Errorf("pool small is still %s", got)
	}
}

// Tasks outlive a DaemonSet, so one that was deleted by mistake is replaced and nothing cleaned.
func TestADaemonSetDeletedByMistakeComesBackWithoutCleaning(t *testing.T) {
	w := newWorld(t)
	w.running()
	first := w.daemonSet("demo-agent-small")
	w.must(w.client.Delete(t.Context(), first))
	w.step()
	w.step()
	if w.exists("demo-cleanup-small") {
		t.Error("the nodes of a wanted pool are being cleaned")
	}
	if again := w.daemonSet("demo-agent-small"); again.UID == first.UID || terminating(again) {
		t.Error("the DaemonSet did not come back")
	}
}

// A pool that comes back under the same name waits until cleaning is over: the
// clean-up would kill its tasks.
func TestAPoolThatComesBackWaitsForTheCleanUp(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.AgentPools = nil }))
	w.step()
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-agent-small"}})
	w.step()
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.AgentPools = []v1alpha1.AgentPool{plainPool("small")} }))
	w.step()
	if got := w.phase("small"); got != v1alpha1.PoolCleaning {
		t.Fatalf("pool small is %s", got)
	}
	w.rollDaemons("demo-cleanup-small", 1, 1)
	w.step() // lets the agents' DaemonSet go
	w.step() // removes the clean-up
	if w.exists("demo-agent-small") {
		t.Fatal("agents started while the clean-up is there")
	}
	w.collect(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "demo-cleanup-small"}})
	w.step()
	if !w.exists("demo-agent-small") || w.phase("small") != v1alpha1.PoolRunning {
		t.Error("the pool did not start again")
	}
}

// Another cluster's DaemonSets may carry labels of the same values, or a user's may.
func TestStrangersAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.running()
	stranger := w.daemonSet("demo-agent-small").DeepCopy()
	stranger.ObjectMeta = metav1.ObjectMeta{Name: "stranger", Namespace: w.namespace, Labels: stranger.Labels}
	stranger.Labels[v1alpha1.LabelPool] = "strange"
	w.must(w.client.Create(t.Context(), stranger))
	w.step()
	if terminating(w.daemonSet("stranger")) {
		t.Error("a DaemonSet that is not the cluster's was deleted")
	}
}
