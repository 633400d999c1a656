package node

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

func TestNodeOf(t *testing.T) {
	affine := func(field corev1.NodeSelectorRequirement) corev1.PodSpec {
		return corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "disk", Operator: corev1.NodeSelectorOpIn, Values: []string{"ssd"}}},
				MatchFields:      []corev1.NodeSelectorRequirement{field},
			}}},
		}}}
	}
	cases := map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"bound":          {corev1.PodSpec{NodeName: "a"}, "a"},
		"made for":       {affine(corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"b"}}), "b"},
		"any but one":    {affine(corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"b"}}), ""},
		"by nothing":     {corev1.PodSpec{}, ""},
		"by its own pod": {corev1.PodSpec{Affinity: &corev1.Affinity{}}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := nodeOf(&corev1.Pod{Spec: tc.spec}); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Other gates than ours stay shut.
func TestReleaseOpensOneGate(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: "quota"}, {Name: resources.NodeFactsGate}}}}
	if !gated(pod) {
		t.Fatal("it isn't held back")
	}
	release(pod, "a:b", "")
	if gated(pod) || len(pod.Spec.SchedulingGates) != 1 || pod.Spec.SchedulingGates[0].Name != "quota" {
		t.Errorf("gates %v", pod.Spec.SchedulingGates)
	}
	if outdated(pod, "a:b", "") || !outdated(pod, "a:c", "") || !outdated(pod, "a:b", "{}") {
		t.Errorf("annotations %v", pod.Annotations)
	}
}

func TestMayReplace(t *testing.T) {
	up := func(uid types.UID) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}, Status: corev1.PodStatus{
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		}}
	}
	ending := up("c")
	ending.DeletionTimestamp = new(metav1.Unix(1, 0))
	set := func(desired int32, limit intstr.IntOrString) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{
			Spec: appsv1.DaemonSetSpec{UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &limit},
			}},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: desired},
		}
	}
	one, half := intstr.FromInt32(1), intstr.FromString("50%")
	behind := set(2, one)
	behind.Generation = 1
	cases := map[string]struct {
		set     *appsv1.DaemonSet
		pods    []corev1.Pod
		evicted types.UID
		want    bool
	}{
		"all are up":         {set(2, one), []corev1.Pod{up("a"), up("b")}, "", true},
		"one is missing":     {set(3, one), []corev1.Pod{up("a"), up("b")}, "", false},
		"one is ending":      {set(3, one), []corev1.Pod{up("a"), up("b"), ending}, "", false},
		"one is not ready":   {set(2, one), []corev1.Pod{up("a"), {}}, "", false},
		"one was just told":  {set(2, one), []corev1.Pod{up("a"), up("b")}, "a", false},
		"a share":            {set(4, half), []corev1.Pod{up("a"), up("b"), up("c")}, "", true},
		"a share is used up": {set(4, half), []corev1.Pod{up("a"), up("b")}, "", false},
		"a newer template":   {behind, []corev1.Pod{up("a"), up("b")}, "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := mayReplace(tc.set, tc.pods, map[types.UID]bool{tc.evicted: true}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
