package cluster

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
	"github.com/mesos-operator/mesos-operator/controllers/node"
)

// agentOn plays the DaemonSet controller: an agent's pod for a node, which waits.
func (w *world) agentOn(name string) *corev1.Pod {
	w.t.Helper()
	set := w.daemonSet("demo-agent-small")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, GenerateName: "agent-", Labels: set.Spec.Template.Labels, Annotations: set.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))},
		},
		Spec: *set.Spec.Template.Spec.DeepCopy(),
	}
	pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{name}}}}},
	}}}
	w.must(w.client.Create(w.t.Context(), pod))
	return pod
}

// node makes a Node with labels, of this test alone.
func (w *world) node(name string, labels map[string]string) string {
	w.t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + w.namespace, Labels: labels}}
	w.must(w.client.Create(w.t.Context(), n))
	w.t.Cleanup(func() { _ = w.client.Delete(w.t.Context(), n) })
	return n.Name
}

func (w *world) relabel(name, key, value string) {
	w.t.Helper()
	n := &corev1.Node{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Name: name}, n))
	n.Labels[key] = value
	w.must(w.client.Update(w.t.Context(), n))
}

func TestAgentsAreToldOfTheirNodes(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.FaultDomain = &v1alpha1.FaultDomain{Region: "eu"}
	c.Spec.AgentPools[0].Attributes = map[string]v1alpha1.AttributeValue{"topology.kubernetes.io/zone": "mine"}
	w.create(c)
	w.step()
	r, err := node.New(node.Config{Client: w.operator, Recorder: w.recorder})
	w.must(err)
	pass := func(pod *corev1.Pod) {
		t.Helper()
		_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(pod)})
		w.must(err)
	}
	zoned := map[string]string{"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "b", "kubernetes.io/arch": "amd64", "other": "x"}
	first, second := w.node("first", zoned), w.node("second", map[string]string{"kubernetes.io/arch": "arm64"})
	a, b, lost := w.agentOn(first), w.agentOn(second), w.agentOn("nowhere")
	for _, pod := range []*corev1.Pod{a, b, lost} {
		pass(pod)
		w.get(pod.Name, pod)
	}
	if len(lost.Spec.SchedulingGates) != 1 {
		t.Error("an agent of no node was let go")
	}
	for pod, want := range map[*corev1.Pod][2]string{
		// The pool's own attribute comes before the label of that name.
		a: {"kubernetes.io/arch:amd64;topology.kubernetes.io/region:eu", `{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"b"}}}`},
		b: {"kubernetes.io/arch:arm64", ""},
	} {
		got := [2]string{pod.Annotations[resources.AnnotationNodeAttributes], pod.Annotations[resources.AnnotationNodeDomain]}
		if got != want || len(pod.Spec.SchedulingGates) != 0 {
			t.Errorf("told %q, gates %v; want %q", got, pod.Spec.SchedulingGates, want)
		}
	}

	// Labels change: one agent at a time is replaced, and none while one is away.
	w.rollDaemons("demo-agent-small", 2, 2)
	w.relabel(first, "other", "y")
	pass(a)
	w.relabel(first, "kubernetes.io/arch", "riscv64")
	w.relabel(second, "kubernetes.io/arch", "riscv64")
	pass(a)
	if !w.get(a.Name, &corev1.Pod{}) {
		t.Fatal("an agent was replaced while none was ready")
	}
	for _, pod := range []*corev1.Pod{a, b} {
		w.get(pod.Name, pod)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		w.must(w.client.Status().Update(t.Context(), pod))
	}
	w.must(w.client.Delete(t.Context(), lost))
	w.events()
	pass(a)
	pass(b)
	if w.get(a.Name, &corev1.Pod{}) || !w.get(b.Name, &corev1.Pod{}) {
		t.Error("want the first agent replaced, and the second to wait")
	}
	if all := w.events(); !strings.Contains(all, "NodeLabelsChanged replacing "+a.Name) {
		t.Errorf("events:\n%s", all)
	}
}

// The masters have their domain before the agents that run get one: they would be refused.
func TestDomainsComeToTheMastersFirst(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.must(w.change(func(c *v1alpha1.MesosCluster) { c.Spec.FaultDomain = &v1alpha1.FaultDomain{Region: "eu"} }))
	w.step()
	wants := func() bool { return resources.WantsDomain(w.daemonSet("demo-agent-small").Spec.Template.Annotations) }
	if args := strings.Join(w.statefulSet().Spec.Template.Spec.Containers[0].Args, " "); !strings.Contains(args, `--domain={"fault_domain":{"region":{"name":"eu"},"zone":{"name":"masters"}}}`) {
		t.Errorf("the masters' flags: %s", args)
	}
	if wants() {
		t.Error("the agents are to have domains before the masters")
	}
	w.rollMasters(1)
	w.step()
	if !wants() {
		t.Error("the agents never get domains")
	}
	if err := w.change(func(c *v1alpha1.MesosCluster) { c.Spec.FaultDomain = nil }); err == nil || !strings.Contains(err.Error(), "can change but not go") {
		t.Errorf("taking the domain away: %v", err)
	}
}
