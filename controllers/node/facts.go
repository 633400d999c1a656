package node

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// nodeOf is the node that a pod runs on, or that its DaemonSet has made it for: the
// DaemonSet controller says so by an affinity to the name.
func nodeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpIn && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// gated tells whether a pod is held back for us.
func gated(pod *corev1.Pod) bool {
	for _, gate := range pod.Spec.SchedulingGates {
		if gate.Name == resources.NodeFactsGate {
			return true
		}
	}
	return false
}

// release writes the answer and opens the gate.
func release(pod *corev1.Pod, attributes, domain string) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[resources.AnnotationNodeAttributes] = attributes
	pod.Annotations[resources.AnnotationNodeDomain] = domain
	var rest []corev1.PodSchedulingGate
	for _, gate := range pod.Spec.SchedulingGates {
		if gate.Name != resources.NodeFactsGate {
			rest = append(rest, gate)
		}
	}
	pod.Spec.SchedulingGates = rest
}

// outdated tells whether a pod was told something else than is so.
func outdated(pod *corev1.Pod, attributes, domain string) bool {
	return pod.Annotations[resources.AnnotationNodeAttributes] != attributes ||
		pod.Annotations[resources.AnnotationNodeDomain] != domain
}

// mayReplace tells whether one more agent of a pool may be away. Pods are those of its
// DaemonSet, as far as is known, and evicted are those that are about to go whatever is
// known of them.
func mayReplace(set *appsv1.DaemonSet, pods []corev1.Pod, evicted map[types.UID]bool) bool {
	if set.Status.ObservedGeneration < set.Generation || set.Spec.UpdateStrategy.RollingUpdate == nil {
		return false
	}
	desired := int(set.Status.DesiredNumberScheduled)
	limit, err := intstr.GetScaledValueFromIntOrPercent(
		intstr.ValueOrDefault(set.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1)), desired, true)
	if err != nil {
		return false
	}
	up := 0
	for i := range pods {
		if ready(&pods[i]) && !evicted[pods[i].UID] {
			up++
		}
	}
	return desired-up < limit
}

func ready(pod *corev1.Pod) bool {
	if !pod.DeletionTimestamp.IsZero() {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
