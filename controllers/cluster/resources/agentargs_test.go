package resources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	mesosresources "github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

func TestOffered(t *testing.T) {
	cases := map[string]struct {
		cpu, memory, disk string
		ports             []v1alpha1.PortRange
		want              string
	}{
		"whole":           {"4", "8Gi", "20Gi", []v1alpha1.PortRange{{Begin: 1, End: 2}}, "cpus:4;mem:8192;disk:20480;ports:[1-2]"},
		"fractions":       {"1500m", "1536Ki", "0", nil, "cpus:1.5;mem:1;disk:0;ports:[]"},
		"thousandths":     {"10m", "32Mi", "1Mi", nil, "cpus:0.01;mem:32;disk:1;ports:[]"},
		"decimal units":   {"2", "1G", "1G", nil, "cpus:2;mem:953;disk:953;ports:[]"},
		"several ranges":  {"1", "1Gi", "1Gi", []v1alpha1.PortRange{{Begin: 1, End: 2}, {Begin: 9, End: 9}}, "cpus:1;mem:1024;disk:1024;ports:[1-2,9-9]"},
		"a great machine": {"256", "4Ti", "100Ti", nil, "cpus:256;mem:4194304;disk:104857600;ports:[]"},
		"scientific":      {"1e2", "1e9", "0", nil, "cpus:100;mem:953;disk:0;ports:[]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := offered(v1alpha1.AgentResources{
				CPU: resource.MustParse(tc.cpu), Memory: resource.MustParse(tc.memory),
				EphemeralStorage: resource.MustParse(tc.disk), Ports: tc.ports,
			})
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if _, err := mesosresources.Parse(got, roles.Default); err != nil {
				t.Errorf("an agent would refuse %s: %v", got, err)
			}
		})
	}
}

// An agent must never offer more than its pod requested.
func TestOfferedFitsTheReservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := v1alpha1.AgentResources{
			CPU:    *resource.NewMilliQuantity(rapid.Int64Range(10, 1_000_000).Draw(t, "millicpus"), resource.DecimalSI),
			Memory: *resource.NewQuantity(rapid.Int64Range(32<<20, 1<<45).Draw(t, "memory"), resource.BinarySI),
		}
		requests, limits := agentReservation(r)
		offeredBytes := resource.MustParse(mebibytes(r.Memory) + "Mi")
		if requests.Memory().Cmp(offeredBytes) < 0 {
			t.Fatalf("offers %s of memory, requests %s", &offeredBytes, requests.Memory())
		}
		offeredCPU := resource.MustParse(thousandths(r.CPU.MilliValue()))
		if requests.Cpu().Cmp(offeredCPU) != 0 {
			t.Fatalf("offers %s cpus, requests %s", &offeredCPU, requests.Cpu())
		}
		if diff := cmp.Diff(requests, limits); diff != "" {
			t.Fatalf("the pod is not Guaranteed (-requests +limits):\n%s", diff)
		}
	})
}

func TestAttributes(t *testing.T) {
	cases := map[string]struct {
		given map[string]v1alpha1.AttributeValue
		want  string
	}{
		"none":      {nil, "node:$(NODE_NAME);pool:p"},
		"own":       {map[string]v1alpha1.AttributeValue{"zone": "a", "rack": "1:2"}, "node:$(NODE_NAME);pool:p;rack:1:2;zone:a"},
		"overruled": {map[string]v1alpha1.AttributeValue{"node": "x"}, "node:x;pool:p"},
		"dollars":   {map[string]v1alpha1.AttributeValue{"price": "$5$$"}, "node:$(NODE_NAME);pool:p;price:$$5$$$$"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := attributes(v1alpha1.AgentPool{Name: "p", Attributes: tc.given}, false)
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			// As the kubelet does.
			expanded := strings.NewReplacer("$(NODE_NAME)", "n1.example", "$$", "$").Replace(got)
			if read, err := mesosresources.ParseAttributes(expanded); err != nil || len(read) != strings.Count(tc.want, ";")+1 {
				t.Errorf("an agent would read %s as %v, %v", expanded, read, err)
			}
		})
	}
}

func TestMasterArgs(t *testing.T) {
	has := func(args []string, want string) bool {
		name, value, _ := cutFlag(want)
		got, ok := argument(args, name)
		return ok && got == value
	}
	one, three := smallest(), fullest()
	if diff := cmp.Diff(masterArgs(one, ""), masterArgs(func() *v1alpha1.MesosCluster { c := smallest(); c.Spec.Masters.Replicas = 5; return c }(), "")); diff != "" {
		t.Errorf("the number of masters shows in their flags, so that a change restarts them:\n%s", diff)
	}
	if got, _ := argument(masterArgs(one, ""), "advertise_ip"); got != "$(POD_IP)" {
		t.Errorf("without a Service's address %q is advertised", got)
	}
	for _, want := range []string{"--raft_peers=file:///etc/mesos/peers/peers", "--advertise_ip=10.0.0.1", "--offer_timeout=1mins"} {
		if !has(masterArgs(three, "10.0.0.1"), want) {
			t.Errorf("no %s in %q", want, masterArgs(three, "10.0.0.1"))
		}
	}
}

func cutFlag(text string) (name, value string, ok bool) {
	for i := range text {
		if text[i] == '=' {
			return text[2:i], text[i+1:], true
		}
	}
	return "", "", false
}

func TestQuorum(t *testing.T) {
	for replicas, want := range map[int32]int32{1: 1, 3: 2, 5: 3} {
		if got := Quorum(replicas); got != want {
			t.Errorf("quorum of %d is %d, want %d", replicas, got, want)
		}
	}
}

// An older operator's DaemonSet without some flag must not turn into a clean-up of nothing in particular.
func TestCleanupArgsComeFromTheDaemonSet(t *testing.T) {
	pod := corev1.PodSpec{Containers: []corev1.Container{
		{Name: "other", Args: []string{"--work_dir=/wrong"}},
		{Name: agentContainer, Args: []string{"--master=x", "--work_dir=/old/place", "--cgroups_root=old"}},
	}}
	want := []string{"cleanup", "--work_dir=/old/place", "--cgroups_root=old"}
	if diff := cmp.Diff(want, cleanupArgs(pod)); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}
