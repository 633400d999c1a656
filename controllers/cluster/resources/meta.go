package resources

import (
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// ManagedByLabel with the value FieldOwner marks every object that the operator
// creates; its caches hold no others.
const ManagedByLabel = "app.kubernetes.io/managed-by"

// labels of an object with a role, for a whole cluster when role is empty.
func labels(c *v1alpha1.MesosCluster, role, pool string) map[string]string {
	out := selector(c, role, pool)
	out["app.kubernetes.io/name"] = "mesos"
	out["app.kubernetes.io/instance"] = c.Name
	out["app.kubernetes.io/part-of"] = "mesos"
	out[ManagedByLabel] = FieldOwner
	if role != "" {
		out["app.kubernetes.io/component"] = role
	}
	return out
}

// selector is the part of the labels that never changes, as a workload's selector can't.
func selector(c *v1alpha1.MesosCluster, role, pool string) map[string]string {
	out := map[string]string{v1alpha1.LabelCluster: c.Name}
	if role != "" {
		out[v1alpha1.LabelRole] = role
	}
	if pool != "" {
		out[v1alpha1.LabelPool] = pool
	}
	return out
}

// PodSelector selects the pods of a role.
func PodSelector(c *v1alpha1.MesosCluster, role string) map[string]string {
	return selector(c, role, "")
}

func leaderSelector(c *v1alpha1.MesosCluster) map[string]string {
	out := selector(c, v1alpha1.RoleMaster, "")
	out[v1alpha1.LabelLeader] = "true"
	return out
}

// ownerReference makes the MesosCluster the controller of a child. Children do
// not hold up its deletion: its finalizer orders that.
func ownerReference(c *v1alpha1.MesosCluster) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind("MesosCluster").
		WithName(c.Name).
		WithUID(c.UID).
		WithController(true).
		WithBlockOwnerDeletion(false)
}

// scraped tells Prometheus's usual annotation-driven configuration where metrics are.
func scraped(port string) map[string]string {
	return map[string]string{
		"prometheus.io/scrape": "true",
		"prometheus.io/port":   port,
		"prometheus.io/path":   "/metrics",
	}
}
