package resources

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var defaults = Defaults{MasterImage: "registry.example/masterd:1", AgentImage: "registry.example/agentd:1", NodeLabels: true}

// smallest is what the API server's defaults make of a cluster with one plain pool.
func smallest() *v1alpha1.MesosCluster {
	return &v1alpha1.MesosCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "default", UID: "0d1e"},
		Spec: v1alpha1.MesosClusterSpec{
			Masters: v1alpha1.Masters{
				Replicas: 1,
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi"),
				}},
				Storage: v1alpha1.MasterStorage{Size: resource.MustParse("1Gi"), Reclaim: v1alpha1.ReclaimDelete},
			},
			AgentPools: []v1alpha1.AgentPool{{
				Name: "default",
				Resources: v1alpha1.AgentResources{
					CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), EphemeralStorage: resource.MustParse("2Gi"),
					Ports: []v1alpha1.PortRange{{Begin: 31000, End: 31999}},
				},
				Isolation:      []v1alpha1.Isolator{"cgroups/cpu", "cgroups/mem"},
				Runtime:        v1alpha1.RuntimePosix,
				Port:           5051,
				MaxUnavailable: new(intstr.FromInt32(1)),
			}},
			Exposure: v1alpha1.Exposure{Type: corev1.ServiceTypeClusterIP},
		},
	}
}

// fullest sets every field.
func fullest() *v1alpha1.MesosCluster {
	c := smallest()
	c.Spec.Images = v1alpha1.Images{
		Master: "own/masterd:2", Agent: "own/agentd:2", PullPolicy: corev1.PullAlways,
		PullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
	}
	masters := &c.Spec.Masters
	masters.Replicas = 3
	masters.Flags = v1alpha1.Flags{"offer_timeout": "1mins", "allocation_interval": "500ms"}
	masters.Storage.StorageClassName = new("fast")
	masters.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
	masters.Placement = v1alpha1.Placement{
		NodeSelector:      map[string]string{"tier": "control"},
		PriorityClassName: "system-cluster-critical",
		Tolerations:       []corev1.Toleration{{Key: "control", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
	}
	pool := &c.Spec.AgentPools[0]
	pool.Secrets = []v1alpha1.SecretName{"database", "registry.example"}
	pool.Placement = v1alpha1.Placement{
		NodeSelector: map[string]string{"disk": "ssd"},
		Tolerations: []corev1.Toleration{
			{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "mesos", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(60))},
		},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "gpu", Operator: corev1.NodeSelectorOpDoesNotExist}},
			}}},
		}},
		PriorityClassName: "batch",
	}
	pool.Resources.CPU = resource.MustParse("3500m")
	pool.Resources.Memory = resource.MustParse("10G")
	pool.Resources.Ports = append(pool.Resources.Ports, v1alpha1.PortRange{Begin: 20000, End: 20000})
	pool.Attributes = map[string]v1alpha1.AttributeValue{"rack": "r$1", "node": "mine", "slots": "[1-4]"}
	pool.Runtime = v1alpha1.RuntimeOCI
	pool.Port = 5061
	pool.MaxUnavailable = new(intstr.FromString("10%"))
	pool.Flags = v1alpha1.Flags{"switch_user": "false", "executor_environment_variables": `{"A":"$(B)"}`}
	c.Spec.Authentication.ServiceAccounts = &v1alpha1.ServiceAccountTokens{Audiences: []v1alpha1.Audience{"mesos", "https://mesos.example.com"}}
	c.Spec.FaultDomain = &v1alpha1.FaultDomain{Region: "eu-west-1", Zone: "masters"}
	pool.AttributesFromNodeLabels = []v1alpha1.NodeLabel{"topology.kubernetes.io/*", "example.com/rack"}
	c.Spec.Exposure = v1alpha1.Exposure{
		Type: corev1.ServiceTypeLoadBalancer, NodePort: new(int32(30050)), LoadBalancerClass: new("example.com/internal"),
		Annotations: map[string]string{"external-dns.alpha.kubernetes.io/hostname": "mesos.example.com"},
	}
	return c
}

func TestGolden(t *testing.T) {
	cases := map[string]*v1alpha1.MesosCluster{"smallest": smallest(), "fullest": fullest()}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := []any{}
			for _, object := range access(c) {
				objects = append(objects, object)
			}
			agent := AgentDaemonSet(c, defaults, c.Spec.AgentPools[0], c.Spec.FaultDomain != nil)
			live := &appsv1.DaemonSet{}
			roundTrip(t, agent, live)
			objects = append(objects,
				MasterStatefulSet(c, defaults, "10.96.0.50", c.Spec.Masters.Replicas), agent, CleanupDaemonSet(c, live))
			compare(t, filepath.Join("testdata", name+".yaml"), render(t, objects))
		})
	}
}

func render(t *testing.T, objects []any) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range objects {
		raw, err := yaml.Marshal(object)
		if err != nil {
			t.Fatalf("encoding %T: %v", object, err)
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out.Bytes()
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatalf("writing %s: %v", path, err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading %s (run with -rewrite to make it): %v", path, err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func roundTrip(t *testing.T, from, to any) {
	t.Helper()
	raw, err := yaml.Marshal(from)
	if err != nil {
		t.Fatalf("encoding %T: %v", from, err)
	}
	if err := yaml.UnmarshalStrict(raw, to); err != nil {
		t.Fatalf("%T is not a %T: %v", from, to, err)
	}
}

func access(c *v1alpha1.MesosCluster) []runtime.ApplyConfiguration {
	return []runtime.ApplyConfiguration{
		MasterAccount(c), AgentAccount(c), MasterRole(c, c.Spec.Masters.Replicas), MasterRoleBinding(c),
		PeersConfigMap(c, c.Spec.Masters.Replicas), MastersService(c), LeaderService(c), MasterDisruptionBudget(c),
	}
}
