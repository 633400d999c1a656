package cluster

import (
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
)

// scope is what one pass has learned. Each phase fills its part.
type scope struct {
	cluster *v1alpha1.MesosCluster

	// leaderService is set by the access phase.
	leaderService *corev1.Service

	// masterPods and leader are set before the phases; leader is the name of the
	// leading master's pod, if any.
	masterPods []corev1.Pod
	leader     string

	// group is set by the group phase to what is to be from now on, and scaling says
	// what that waits for, if anything.
	group   group
	scaling string

	// masters is set by the masters phase, and so is upgrading, which says how far a
	// change of their pods is.
	masters   *appsv1.StatefulSet
	upgrading string

	// pools is set by the agents phase, or by deletion, in the order of names.
	pools []poolView

	// observed is the leading master's last answer, if there was one.
	observed *leader.Observation

	// errs are the failures of the phases.
	errs []error

	// after is when to look again if no watch brings a pass earlier; 0: never.
	after time.Duration
}

// poolView is what a pass found of one pool.
type poolView struct {
	status v1alpha1.PoolStatus
	// settled: Kubernetes has seen the DaemonSet's last change and carried it out.
	settled bool
}

func (s *scope) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.cluster.Namespace, Name: s.cluster.Name}
}

func (s *scope) deleting() bool { return !s.cluster.DeletionTimestamp.IsZero() }

// failed keeps an error of a phase; the other phases still run.
func (s *scope) failed(err error) {
	if err != nil {
		s.errs = append(s.errs, err)
	}
}

// again asks for another pass no later than after some time.
func (s *scope) again(after time.Duration) {
	if s.after == 0 || after < s.after {
		s.after = after
	}
}

func (s *scope) err() error { return errors.Join(s.errs...) }
