package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
)

func TestFirstPassMakesTheChildren(t *testing.T) {
	w := newWorld(t)
	w.create(w.plain())
	w.step()
	for name, object := range map[string]client.Object{
		"demo-master":      &appsv1.StatefulSet{},
		"demo-agent-small": &appsv1.DaemonSet{},
		"demo-leader":      &corev1.Service{},
		"demo-masters":     &corev1.Service{},
		"demo-peers":       &corev1.ConfigMap{},
		"demo-agent":       &corev1.ServiceAccount{},
	} {
		if !w.get(name, object) {
			t.Errorf("no %T %s", object, name)
		} else if !metav1.IsControlledBy(object, w.cluster()) {
			t.Errorf("%T %s does not belong to the cluster", object, name)
		}
	}
	for _, object := range []client.Object{&rbacv1.Role{}, &rbacv1.RoleBinding{}, &policyv1.PodDisruptionBudget{}, &corev1.ServiceAccount{}} {
		if !w.get("demo-master", object) {
			t.Errorf("no %T demo-master", object)
		}
	}
	service := &corev1.Service{}
	w.get("demo-leader", service)
	args := w.statefulSet().Spec.Template.Spec.Containers[0].Args
	if want := "--advertise_ip=" + service.Spec.ClusterIP; service.Spec.ClusterIP == "" || !slices.Contains(args, want) {
		t.Errorf("the masters do not advertise the leader Service: no %s in %q", want, args)
	}
	if !slices.Contains(w.cluster().Finalizers, v1alpha1.FinalizerCleanup) {
		t.Error("no finalizer on the MesosCluster")
	}
	if want := []leader.Target{{URL: "http://demo-leader." + w.namespace + ".svc:5050"}}; !cmp.Equal(w.leaders.tracked, want) {
		t.Errorf("the leading master is asked at %q, want %q", w.leaders.tracked, want)
	}
}

func TestStatusFollowsTheCluster(t *testing.T) {
	w := newWorld(t)
	w.create(w.plain())
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMastersNotReady, "0 of 1 masters are ready")
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "masters")
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonHealthy, "")

	w.rollMasters(1)
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNoLeader, "no master leads yet")

	w.elect("demo-master-0")
	w.rollDaemons("demo-agent-small", 2, 2)
	w.answer(1, "")
	w.step()
	w.expect(v1alpha1.ConditionMastersReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "demo-master-0 leads")
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAgentsUnregistered, "1 of 2 agents are registered")

	w.answer(2, "")
	w.step()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "2 of 2 agents")
	w.expect(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonStable, "")

	got := w.cluster().Status
	got.Conditions = nil
	want := v1alpha1.MesosClusterStatus{
		ObservedGeneration: 1,
		Version:            "1.11.0",
		Leader:             "demo-master-0",
		Endpoint:           "http://demo-leader." + w.namespace + ".svc:5050",
		Masters:            v1alpha1.MasterCounts{Desired: 1, Ready: 1, Updated: 1, Voting: 1, Summary: "1/1"},
		Agents:             v1alpha1.AgentCounts{Desired: 2, Ready: 2, Registered: 2, Summary: "2/2"},
		Pools:              []v1alpha1.PoolStatus{{Name: "small", Phase: v1alpha1.PoolRunning, Desired: 2, Ready: 2, Updated: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if all := w.events(); !strings.Contains(all, "LeaderElected demo-master-0 leads") || !strings.Contains(all, "Normal Ready") {
		t.Errorf("events:\n%s", all)
	}
}

func TestLostAgentsDegrade(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.events()
	w.answer(1, "")
	w.step()
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionTrue, v1alpha1.ReasonAgentsUnregistered, "1 of 2")
	w.step()
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionTrue, v1alpha1.ReasonAgentsUnregistered, "1 of 2")
	w.answer(2, "")
	w.step()
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonHealthy, "")
	if all := w.events(); !strings.Contains(all, "Warning AgentsUnregistered") || !strings.Contains(all, "Normal Recovered") {
		t.Errorf("events:\n%s", all)
	}
}

func TestAClusterAtRestCostsNoWrites(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.step() // The last status changes are seen and applied over once.
	w.writes = nil
	w.step()
	if len(w.writes) > 0 {
		t.Errorf("wrote %q", w.writes)
	}
}

func TestDriftIsPutBack(t *testing.T) {
	w := newWorld(t)
	w.running()
	set := w.statefulSet()
	set.Spec.Replicas = new(int32(5))
	set.Spec.Template.Spec.Containers[0].Image = "evil:1"
	w.must(w.client.Update(t.Context(), set))
	service := &corev1.Service{}
	w.get("demo-leader", service)
	service.Spec.Selector["mesos.dev/leader"] = "false"
	service.Annotations = map[string]string{"somebody/else": "stays"}
	w.must(w.client.Update(t.Context(), service))

	w.step()
	if set := w.statefulSet(); *set.Spec.Replicas != 1 || set.Spec.Template.Spec.Containers[0].Image != "registry.example/masterd:1" {
		t.Errorf("the StatefulSet has %d replicas of %s", *set.Spec.Replicas, set.Spec.Template.Spec.Containers[0].Image)
	}
	w.get("demo-leader", service)
	if service.Spec.Selector["mesos.dev/leader"] != "true" || service.Annotations["somebody/else"] != "stays" {
		t.Errorf("the leader Service has selector %v, annotations %v", service.Spec.Selector, service.Annotations)
	}
}

func TestChildrenComeBack(t *testing.T) {
	w := newWorld(t)
	w.running()
	role := &rbacv1.Role{}
	w.get("demo-master", role)
	w.must(w.client.Delete(t.Context(), role))
	w.step()
	if !w.get("demo-master", &rbacv1.Role{}) {
		t.Error("the Role did not come back")
	}
}

func TestFlagThatLeavesTheSpecLeavesThePods(t *testing.T) {
	w := newWorld(t)
	c := w.plain()
	c.Spec.Masters.Flags = v1alpha1.Flags{"offer_timeout": "1mins"}
	c.Spec.Masters.NodeSelector = map[string]string{"tier": "control"}
	w.create(c)
	w.step()
	w.must(w.change(func(c *v1alpha1.MesosCluster) {
		c.Spec.Masters.Flags = nil
		c.Spec.Masters.NodeSelector = nil
	}))
	w.step()
	pod := w.statefulSet().Spec.Template.Spec
	if slices.Contains(pod.Containers[0].Args, "--offer_timeout=1mins") || len(pod.NodeSelector) > 0 {
		t.Errorf("arguments %q, node selector %v", pod.Containers[0].Args, pod.NodeSelector)
	}
}

func TestARefusedChildIsToldOf(t *testing.T) {
	w := newWorld(t)
	w.running()
	// No schema knows which ports are NodePorts here: the API server's configuration does.
	w.must(w.change(func(c *v1alpha1.MesosCluster) {
		c.Spec.Exposure = v1alpha1.Exposure{Type: corev1.ServiceTypeNodePort, NodePort: new(int32(80))}
	}))
	if err := w.tryStep(); err == nil || !strings.Contains(err.Error(), "applying Service demo-leader") {
		t.Fatalf("got %v", err)
	}
	w.expect(v1alpha1.ConditionDegraded, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed, "provided port is not in the valid range")
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "demo-leader")
	if got := w.cluster().Status.Agents.Summary; got != "2/2" {
		t.Errorf("agents are %s: a refused Service should not hide them", got)
	}
}

func TestTheAPIServerRefusesNonsense(t *testing.T) {
	cases := map[string]struct {
		edit    func(*v1alpha1.MesosCluster)
		message string
	}{
		"two masters": {func(c *v1alpha1.MesosCluster) { c.Spec.Masters.Replicas = 2 }, "write 1, 3 or 5"},
		"long name":   {func(c *v1alpha1.MesosCluster) { c.Name = strings.Repeat("x", 41) }, "write at most 40 lower-case letters"},
		"own flag":    {func(c *v1alpha1.MesosCluster) { c.Spec.AgentPools[0].Flags = v1alpha1.Flags{"work_dir": "/"} }, "what upgrades and clean-up rely on"},
		"same pool twice": {func(c *v1alpha1.MesosCluster) {
			c.Spec.AgentPools = append(c.Spec.AgentPools, c.Spec.AgentPools[0])
		}, "Duplicate value"},
		"ports": {func(c *v1alpha1.MesosCluster) {
			c.Spec.AgentPools[0].Resources.Ports = []v1alpha1.PortRange{{Begin: 2, End: 1}}
		}, "write the lower port as begin"},
	}
	w := newWorld(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := w.plain()
			tc.edit(c)
			err := w.client.Create(t.Context(), c)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("got %v, want %q", err, tc.message)
			}
		})
	}
	w.create(w.plain())
	err := w.change(func(c *v1alpha1.MesosCluster) { c.Spec.Masters.Storage.StorageClassName = new("fast") })
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "storageClassName can't change") {
		t.Errorf("a change of storage class: got %v", err)
	}
}
