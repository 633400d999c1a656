package resources

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// Defaults is what the operator fills in where a MesosCluster is silent.
type Defaults struct {
	// MasterImage is the image of masterd.
	MasterImage string
	// AgentImage is the image of agentd.
	AgentImage string
	// NodeLabels: the operator may read Nodes, so agents can be told of their labels.
	NodeLabels bool
}

// Validate reports what is missing.
func (d Defaults) Validate() error {
	if d.MasterImage == "" {
		return fmt.Errorf("no default image of masterd")
	}
	if d.AgentImage == "" {
		return fmt.Errorf("no default image of agentd")
	}
	return nil
}

func (d Defaults) masterImage(c *v1alpha1.MesosCluster) string {
	return cmp.Or(c.Spec.Images.Master, d.MasterImage)
}

func (d Defaults) agentImage(c *v1alpha1.MesosCluster) string {
	return cmp.Or(c.Spec.Images.Agent, d.AgentImage)
}

// container of a cluster, with its pull policy.
func container(c *v1alpha1.MesosCluster, name, image string) *corev1ac.ContainerApplyConfiguration {
	out := corev1ac.Container().WithName(name).WithImage(image)
	if c.Spec.Images.PullPolicy != "" {
		out.WithImagePullPolicy(c.Spec.Images.PullPolicy)
	}
	return out
}

func pullSecrets(pod *corev1ac.PodSpecApplyConfiguration, secrets []corev1.LocalObjectReference) {
	for _, secret := range secrets {
		pod.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
}

// fromField is an environment variable with a field of the pod.
func fromField(name, path string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
		WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath(path)))
}

// health probes /health, which both daemons answer before they lead or are registered.
func health(port string, period, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath("/health").WithPort(intstr.FromString(port))).
		WithPeriodSeconds(period).
		WithTimeoutSeconds(5).
		WithFailureThreshold(failures)
}

// option writes one flag for a container's arguments.
func option(name, value string) string { return "--" + name + "=" + value }

// userFlags are written in the order of their names, so that equal specs give
// equal pods, and with Kubernetes's variable expansion switched off.
func userFlags(flags v1alpha1.Flags) []string {
	out := make([]string, 0, len(flags))
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		out = append(out, option(name, literal(string(flags[name]))))
	}
	return out
}

// literal escapes what Kubernetes would expand in a container's arguments.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func labelSelector(match map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: match}
}
