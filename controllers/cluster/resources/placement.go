package resources

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// place puts a user's placement on a pod.
func place(pod *corev1ac.PodSpecApplyConfiguration, placement v1alpha1.Placement) {
	pod.WithNodeSelector(placement.NodeSelector)
	pod.WithTolerations(tolerations(placement.Tolerations)...)
	if placement.Affinity != nil {
		pod.WithAffinity(affinity(placement.Affinity))
	}
	if placement.PriorityClassName != "" {
		pod.WithPriorityClassName(placement.PriorityClassName)
	}
}

func tolerations(in []corev1.Toleration) []*corev1ac.TolerationApplyConfiguration {
	out := make([]*corev1ac.TolerationApplyConfiguration, 0, len(in))
	for _, t := range in {
		toleration := corev1ac.Toleration()
		if t.Key != "" {
			toleration.WithKey(t.Key)
		}
		if t.Operator != "" {
			toleration.WithOperator(t.Operator)
		}
		if t.Value != "" {
			toleration.WithValue(t.Value)
		}
		if t.Effect != "" {
			toleration.WithEffect(t.Effect)
		}
		if t.TolerationSeconds != nil {
			toleration.WithTolerationSeconds(*t.TolerationSeconds)
		}
		out = append(out, toleration)
	}
	return out
}

// affinity goes through JSON: the type and its configuration have one form there,
// and it is three levels of lists deep.
func affinity(in *corev1.Affinity) *corev1ac.AffinityApplyConfiguration {
	out := corev1ac.Affinity()
	raw, err := json.Marshal(in)
	if err != nil {
		return nil // Not for a type of strings, numbers, lists and maps.
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil // Likewise.
	}
	return out
}

// spreadMasters prefers different nodes for the masters, and, which weighs less, different
// zones; a user's own affinity replaces it.
func spreadMasters(c *v1alpha1.MesosCluster) *corev1.Affinity {
	apart := func(topology string, weight int32) corev1.WeightedPodAffinityTerm {
		return corev1.WeightedPodAffinityTerm{Weight: weight, PodAffinityTerm: corev1.PodAffinityTerm{
			TopologyKey:   topology,
			LabelSelector: labelSelector(selector(c, v1alpha1.RoleMaster, "")),
		}}
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			apart(corev1.LabelHostname, 100), apart(corev1.LabelTopologyZone, 50),
		},
	}}
}
