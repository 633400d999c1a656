package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// world is a namespace of a real API server, without the controllers of
// Kubernetes: the test plays those, and calls the Reconciler step by step.
type world struct {
	t         *testing.T
	client    client.Client // of the test, which may do anything
	operator  client.Client // of the Reconciler, which has the operator's rights only
	namespace string
	leaders   *fakeLeaders
	recorder  *events.FakeRecorder
	r         *Reconciler
	writes    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	needAPIServer(t)
	w := &world{t: t, leaders: &fakeLeaders{answers: map[types.NamespacedName]leader.Observation{}}, recorder: events.NewFakeRecorder(100)}
	var err error
	w.client, err = client.New(apiServer, client.Options{Scheme: testScheme()})
	w.must(err)
	limited := rest.CopyConfig(apiServer)
	limited.Impersonate.UserName = operatorUser
	direct, err := client.NewWithWatch(limited, client.Options{Scheme: testScheme()})
	w.must(err)
	w.operator = interceptor.NewClient(direct, w.spy())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.must(w.client.Create(t.Context(), namespace))
	w.namespace = namespace.Name
	w.restart()
	return w
}

// spy notes every write.
func (w *world) spy() interceptor.Funcs {
	return interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, config runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			_, id, err := identify(config)
			w.must(err)
			w.writes = append(w.writes, "apply "+id.kind+" "+id.name)
			return c.Apply(ctx, config, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			w.writes = append(w.writes, "patch "+object.GetName())
			return c.Patch(ctx, object, patch, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.DeleteOption) error {
			w.writes = append(w.writes, "delete "+object.GetName())
			return c.Delete(ctx, object, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			w.writes = append(w.writes, "patch "+sub+" of "+object.GetName())
			return c.SubResource(sub).Patch(ctx, object, patch, opts...)
		},
	}
}

// restart makes a Reconciler that remembers nothing, as after the operator's own restart.
func (w *world) restart() {
	w.t.Helper()
	r, err := New(Config{
		Client: w.operator, Reader: w.operator, Leaders: w.leaders, Recorder: w.recorder,
		Defaults:       resources.Defaults{MasterImage: "registry.example/masterd:1", AgentImage: "registry.example/agentd:1", NodeLabels: true},
		TokenReviewers: tokenReviewers,
	})
	w.must(err)
	w.r = r
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// plain is a small valid cluster.
func (w *world) plain() *v1alpha1.MesosCluster {
	return &v1alpha1.MesosCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: w.namespace},
		Spec:       v1alpha1.MesosClusterSpec{AgentPools: []v1alpha1.AgentPool{plainPool("small")}},
	}
}

func plainPool(name string) v1alpha1.AgentPool {
	return v1alpha1.AgentPool{
		Name:      name,
		Placement: v1alpha1.Placement{NodeSelector: map[string]string{"pool": name}},
		Resources: v1alpha1.AgentResources{CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), EphemeralStorage: resource.MustParse("1Gi")},
	}
}

func (w *world) create(c *v1alpha1.MesosCluster) {
	w.t.Helper()
	w.must(w.client.Create(w.t.Context(), c))
}

func (w *world) step() {
	w.t.Helper()
	w.must(w.tryStep())
}

func (w *world) tryStep() error {
	_, err := w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: w.key("demo")})
	return err
}

func (w *world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: name}
}

// get reads an object into its typed form and reports whether it exists.
func (w *world) get(name string, into client.Object) bool {
	w.t.Helper()
	err := w.client.Get(w.t.Context(), w.key(name), into)
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

func (w *world) cluster() *v1alpha1.MesosCluster {
	w.t.Helper()
	c := &v1alpha1.MesosCluster{}
	if !w.get("demo", c) {
		w.t.Fatal("the MesosCluster is gone")
	}
	return c
}

func (w *world) daemonSet(name string) *appsv1.DaemonSet {
	w.t.Helper()
	set := &appsv1.DaemonSet{}
	if !w.get(name, set) {
		w.t.Fatalf("no DaemonSet %s", name)
	}
	return set
}

func (w *world) statefulSet() *appsv1.StatefulSet {
	w.t.Helper()
	set := &appsv1.StatefulSet{}
	if !w.get("demo-master", set) {
		w.t.Fatal("no StatefulSet")
	}
	return set
}

// change edits the cluster's spec or metadata.
func (w *world) change(edit func(*v1alpha1.MesosCluster)) error {
	w.t.Helper()
	c := w.cluster()
	edit(c)
	return w.client.Update(w.t.Context(), c)
}

// rollMasters plays the StatefulSet controller and the kubelet: as many masters are ready.
func (w *world) rollMasters(ready int32) {
	w.t.Helper()
	set := w.statefulSet()
	set.Status = appsv1.StatefulSetStatus{
		ObservedGeneration: set.Generation, Replicas: *set.Spec.Replicas,
		UpdatedReplicas: *set.Spec.Replicas, ReadyReplicas: ready, AvailableReplicas: ready,
	}
	w.must(w.client.Status().Update(w.t.Context(), set))
}

// rollDaemons plays the DaemonSet controller and the kubelets.
func (w *world) rollDaemons(name string, desired, ready int32) {
	w.t.Helper()
	set := w.daemonSet(name)
	set.Status = appsv1.DaemonSetStatus{
		ObservedGeneration: set.Generation, DesiredNumberScheduled: desired, CurrentNumberScheduled: desired,
		UpdatedNumberScheduled: desired, NumberReady: ready, NumberAvailable: ready,
	}
	w.must(w.client.Status().Update(w.t.Context(), set))
}

// elect plays a master that won: its pod is ready and has labelled itself.
func (w *world) elect(pod string) {
	w.t.Helper()
	w.runMaster(pod, map[string]string{v1alpha1.LabelLeader: "true"})
}

// runMaster plays the StatefulSet controller and the kubelet: a master's pod is ready.
func (w *world) runMaster(pod string, extra map[string]string) {
	w.t.Helper()
	set := w.statefulSet()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: w.namespace, Labels: set.Spec.Template.Labels}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "masterd", Image: "x"}},
	}}
	maps.Copy(p.Labels, extra)
	p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
	w.must(w.client.Create(w.t.Context(), p))
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	w.must(w.client.Status().Update(w.t.Context(), p))
}

// collect plays the garbage collector: the pods of a set that was deleted in the foreground are gone.
func (w *world) collect(set client.Object) {
	w.t.Helper()
	if !w.get(set.GetName(), set) {
		return
	}
	if set.GetDeletionTimestamp().IsZero() {
		w.t.Fatalf("%s was not deleted", set.GetName())
	}
	set.SetFinalizers(slices.DeleteFunc(set.GetFinalizers(), func(f string) bool { return f == metav1.FinalizerDeleteDependents }))
	w.must(w.client.Update(w.t.Context(), set))
}

func (w *world) answer(agents int32, failure string) {
	n := w.cluster().Spec.Masters.Replicas
	w.leaders.answers[w.key("demo")] = leader.Observation{
		State: leader.State{Version: "1.11.0", ActiveAgents: agents, Votes: n, Current: n, Listed: n}, Failure: failure,
	}
}

// vote plays a leading master whose group is so far.
func (w *world) vote(votes, current, listed int32) {
	last := w.leaders.answers[w.key("demo")]
	last.State.Votes, last.State.Current, last.State.Listed = votes, current, listed
	w.leaders.answers[w.key("demo")] = last
}

// running brings a plain cluster up with its agents on two nodes.
func (w *world) running() {
	w.t.Helper()
	w.create(w.plain())
	w.step()
	w.rollMasters(1)
	w.elect("demo-master-0")
	w.rollDaemons("demo-agent-small", 2, 2)
	w.answer(2, "")
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "demo-master-0 leads")
}

// expect checks a condition.
func (w *world) expect(kind string, status metav1.ConditionStatus, reason, message string) {
	w.t.Helper()
	c := w.cluster()
	got := meta.FindStatusCondition(c.Status.Conditions, kind)
	if got == nil {
		w.t.Fatalf("no condition %s", kind)
	}
	if got.Status != status || got.Reason != reason || !strings.Contains(got.Message, message) || got.ObservedGeneration != c.Generation {
		w.t.Errorf("condition %s is %s, %s, %q at generation %d; want %s, %s, %q at %d",
			kind, got.Status, got.Reason, got.Message, got.ObservedGeneration, status, reason, message, c.Generation)
	}
}

// events drains what was recorded.
func (w *world) events() string {
	var out []string
	for {
		select {
		case e := <-w.recorder.Events:
			out = append(out, e)
		default:
			return strings.Join(out, "\n")
		}
	}
}

// fakeLeaders answers what the test says.
type fakeLeaders struct {
	answers map[types.NamespacedName]leader.Observation
	tracked []leader.Target
	poked   int
}

func (f *fakeLeaders) Track(_ types.NamespacedName, at leader.Target) {
	f.tracked = append(f.tracked, at)
}
func (f *fakeLeaders) Forget(key types.NamespacedName) { delete(f.answers, key) }
func (f *fakeLeaders) Poke()                           { f.poked++ }
func (f *fakeLeaders) Last(key types.NamespacedName) (leader.Observation, bool) {
	last, ok := f.answers[key]
	return last, ok
}

func (f *fakeLeaders) Ask(_ context.Context, key types.NamespacedName) (leader.State, error) {
	last, ok := f.answers[key]
	switch {
	case !ok:
		return leader.State{}, leader.ErrNotLeading
	case last.Failure != "":
		return leader.State{}, errors.New(last.Failure)
	}
	return last.State, nil
}

func (w *world) existsStatefulSet() bool { return w.get("demo-master", &appsv1.StatefulSet{}) }
