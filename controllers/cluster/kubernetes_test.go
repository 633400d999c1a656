package cluster

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// TestLifeUnderKubernetes takes a cluster from birth to deletion under Kubernetes's
// own controllers: nothing here plays the StatefulSet, DaemonSet and
// garbage-collection controllers, on whose order of deletion the clean-up rests.
// Only scheduler, kubelets and daemons are played.
func TestLifeUnderKubernetes(t *testing.T) {
	w := newWorld(t)
	startControllerManager(t)
	w.manage(2)
	for _, name := range []string{"n1", "n2"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + w.namespace, Labels: map[string]string{"pool": w.namespace}}}
		w.must(w.client.Create(t.Context(), node))
		node.Spec.Taints = nil // A new node is tainted until its kubelet reports.
		w.must(w.client.Update(t.Context(), node))
		t.Cleanup(func() { w.must(w.client.Delete(context.Background(), node)) })
	}
	nodes := w.playNodes()

	c := w.plain()
	c.Spec.AgentPools[0].NodeSelector = map[string]string{"pool": w.namespace}
	w.create(c)
	w.eventually("Ready", func() bool {
		return meta.IsStatusConditionTrue(w.cluster().Status.Conditions, v1alpha1.ConditionReady)
	})
	if got := w.cluster().Status.Agents; got.Summary != "2/2" || got.Ready != 2 {
		t.Errorf("agents: %+v", got)
	}
	if !w.claimed("data-demo-master-0") {
		t.Error("no claim for the master")
	}

	w.must(w.client.Delete(t.Context(), w.cluster()))
	w.eventually("the MesosCluster's end", w.gone)
	w.eventually("the children's end", func() bool {
		return !w.get("demo-leader", &corev1.Service{}) && !w.get("demo-agent", &corev1.ServiceAccount{}) &&
			!w.get("data-demo-master-0", &corev1.PersistentVolumeClaim{}) && !w.existsStatefulSet()
	})
	nodes.check(t)
}

// startControllerManager runs the few of Kubernetes's controllers that matter here.
func startControllerManager(t *testing.T) {
	t.Helper()
	binary := os.Getenv("KUBE_CONTROLLER_MANAGER")
	if found, _ := filepath.Glob("../../bin/localkube/kubernetes-*/kube-controller-manager"); binary == "" && len(found) > 0 {
		binary = found[0]
	}
	if binary == "" {
		t.Skip("no kube-controller-manager: set KUBE_CONTROLLER_MANAGER, or run `make envtest-assets`")
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, kubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	command := exec.Command(binary, "--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--controllers=statefulset-controller,daemonset-controller,garbage-collector-controller,persistentvolumeclaim-protection-controller")
	command.Stderr = &log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatalf("starting kube-controller-manager: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // It was killed, and says so.
		if t.Failed() {
			lines := strings.Split(log.String(), "\n")
			t.Logf("kube-controller-manager:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
}

// playedNodes binds pods to their nodes, reports them ready, ends them when told,
// and remembers in which order.
type playedNodes struct {
	mu    sync.Mutex
	began []string
	ended []string
}

func (w *world) playNodes() *playedNodes {
	nodes := &playedNodes{}
	ctx, stop := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			var pods corev1.PodList
			if err := w.client.List(ctx, &pods, client.InNamespace(w.namespace)); err == nil {
				for i := range pods.Items {
					nodes.play(ctx, w.client, &pods.Items[i])
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	w.t.Cleanup(func() { stop(); done.Wait() })
	return nodes
}

// play moves one pod a step on; errors are the next round's concern.
func (n *playedNodes) play(ctx context.Context, c client.Client, pod *corev1.Pod) {
	switch {
	case !pod.DeletionTimestamp.IsZero():
		n.note(&n.ended, pod)
		_ = c.Delete(ctx, pod, client.GracePeriodSeconds(0))
	case len(pod.Spec.SchedulingGates) > 0: // As Kubernetes's scheduler does.
	case pod.Spec.NodeName == "":
		_ = c.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: nodeFor(pod)}})
	case !podReady(pod):
		n.note(&n.began, pod)
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		_ = c.Status().Update(ctx, pod)
	case pod.Labels[v1alpha1.LabelRole] == v1alpha1.RoleMaster && pod.Labels[v1alpha1.LabelLeader] == "":
		pod.Labels[v1alpha1.LabelLeader] = "true"
		_ = c.Update(ctx, pod)
	}
}

// nodeFor is the node that the DaemonSet controller wants, or any.
func nodeFor(pod *corev1.Pod) string {
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, field := range term.MatchFields {
				return field.Values[0]
			}
		}
	}
	return "n1-" + pod.Namespace
}

func (n *playedNodes) note(list *[]string, pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	entry := pod.Labels[v1alpha1.LabelRole] + " " + pod.Name
	if !slices.Contains(*list, entry) {
		*list = append(*list, entry)
	}
	// Cleaning must never meet an agent, nor the masters go before it is over.
	if pod.Labels[v1alpha1.LabelRole] == v1alpha1.RoleCleanup && list == &n.began && n.count(n.ended, v1alpha1.RoleAgent) < n.count(n.began, v1alpha1.RoleAgent) {
		*list = append(*list, "too early: "+entry)
	}
	if pod.Labels[v1alpha1.LabelRole] == v1alpha1.RoleMaster && list == &n.ended && n.count(n.ended, v1alpha1.RoleCleanup) < 2 {
		*list = append(*list, "too early: "+entry)
	}
}

func (n *playedNodes) count(list []string, role string) int {
	total := 0
	for _, entry := range list {
		if strings.HasPrefix(entry, role+" ") {
			total++
		}
	}
	return total
}

func (n *playedNodes) check(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, role := range []string{v1alpha1.RoleAgent, v1alpha1.RoleCleanup} {
		if began, ended := n.count(n.began, role), n.count(n.ended, role); began != 2 || ended != 2 {
			t.Errorf("%s: %d pods began and %d ended, want 2", role, began, ended)
		}
	}
	if all := strings.Join(append(n.began, n.ended...), "\n"); strings.Contains(all, "too early") {
		t.Errorf("wrong order:\n%s", all)
	}
}
