package cluster

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// tell records a normal event on a MesosCluster, and warn one that wants attention.
func (r *Reconciler) tell(c *v1alpha1.MesosCluster, reason, action, note string, args ...any) {
	r.recorder.Eventf(c, nil, corev1.EventTypeNormal, reason, action, note, args...)
}

func (r *Reconciler) warn(c *v1alpha1.MesosCluster, reason, action, note string, args ...any) {
	r.recorder.Eventf(c, nil, corev1.EventTypeWarning, reason, action, note, args...)
}

// announce tells what changed between two states of a cluster: people read
// events to learn when, and conditions to learn what.
func (r *Reconciler) announce(c *v1alpha1.MesosCluster, before, after v1alpha1.MesosClusterStatus) {
	if after.Leader != "" && after.Leader != before.Leader {
		r.tell(c, "LeaderElected", "Elect", "%s leads", after.Leader)
	}
	if ready := turned(before, after, v1alpha1.ConditionReady); ready != nil {
		if ready.Status == metav1.ConditionTrue {
			r.tell(c, "Ready", "Reconcile", "%s", ready.Message)
		} else {
			r.tell(c, "NotReady", "Reconcile", "%s: %s", ready.Reason, ready.Message)
		}
	}
	if degraded := turned(before, after, v1alpha1.ConditionDegraded); degraded != nil {
		if degraded.Status == metav1.ConditionTrue {
			r.warn(c, degraded.Reason, "Reconcile", "%s", degraded.Message)
		} else if meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionDegraded) != nil {
			r.tell(c, "Recovered", "Reconcile", "%s", degraded.Message)
		}
	}
}

// turned returns a condition whose status changed.
func turned(before, after v1alpha1.MesosClusterStatus, kind string) *metav1.Condition {
	now := meta.FindStatusCondition(after.Conditions, kind)
	was := meta.FindStatusCondition(before.Conditions, kind)
	if now == nil || was != nil && was.Status == now.Status {
		return nil
	}
	return now
}
