package quickstart

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestImagesInto(t *testing.T) {
	made := images{"registry.example.com/team", map[string]string{"masterd": "dev-1", "agentd": "dev-2"}}
	in := "master: localhost/mesos-operator/masterd:dev\nagent: localhost/mesos-operator/agentd:dev\n" +
		"other: localhost/mesos-operator/tool:dev\nolder: localhost/mesos-operator/agentd:develop\n"
	want := "master: registry.example.com/team/masterd:dev-1\nagent: registry.example.com/team/agentd:dev-2\n" +
		"other: localhost/mesos-operator/tool:dev\nolder: localhost/mesos-operator/agentd:develop\n"
	if got := made.into(in); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestTheSampleNamesOurImages would fail if the sample's images were renamed, which
// would otherwise show as pods that can't pull.
func TestTheSampleNamesOurImages(t *testing.T) {
	b, err := os.ReadFile("../../../../" + sample)
	if err != nil {
		t.Skipf("no sample: %v", err)
	}
	got := images{"registry.example.com", map[string]string{"masterd": "1", "agentd": "1"}}.into(string(b))
	if strings.Contains(got, localRegistry) {
		t.Errorf("images that are not replaced in:\n%s", got)
	}
}

func TestReady(t *testing.T) {
	tests := map[string]struct {
		json string
		want bool
		why  string
	}{
		"new":   {`{"metadata": {"generation": 1}}`, false, "has not looked"},
		"ready": {`{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}}`, true, ""},
		"ready as it was, changed since": {
			`{"metadata": {"generation": 3}, "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}}`, false, "has not looked",
		},
		"not ready": {
			`{"metadata": {"generation": 1}, "status": {"conditions": [{"type": "Progressing", "status": "True", "observedGeneration": 1, "message": "x"},
			 {"type": "Ready", "status": "False", "observedGeneration": 1, "message": "0 of 1 masters"}]}}`, false, "0 of 1 masters",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var m mesosCluster
			if err := json.Unmarshal([]byte(tt.json), &m); err != nil {
				t.Fatal(err)
			}
			ready, why := m.ready()
			if ready != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("ready() = %v, %q; want %v, %q", ready, why, tt.want, tt.why)
			}
		})
	}
}

func TestSession(t *testing.T) {
	s := session{Bin: "/repo/bin", Table: "NAME READY", Endpoint: "10.96.1.2:5050", Namespace: "default", Name: "demo"}
	local := s
	local.Kubeconfig = "/run/kubeconfig"
	remote := s
	remote.Forward = "kubectl port-forward service/demo-leader 5050 &"
	for name, tt := range map[string]struct {
		session      session
		with, except string
	}{
		"localkube": {local, "KUBECONFIG=/run/kubeconfig", "port-forward"},
		"another":   {remote, "port-forward", "KUBECONFIG"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := tt.session.render()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, tt.with) || strings.Contains(text, tt.except) {
				t.Errorf("want %q and not %q in:\n%s", tt.with, tt.except, text)
			}
			_, script, _ := strings.Cut(text, "as a whole):\n")
			check := exec.Command("bash", "-n")
			check.Stdin = strings.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("the session is no shell script: %v\n%s", err, out)
			}
		})
	}
}
