package resources

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

func TestNodeFacts(t *testing.T) {
	labels := map[string]string{
		"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "eu-b", "example.com/rack": "12",
		"node-role.kubernetes.io/worker": "", "pool": "theirs", "kubernetes.io/arch": "amd64",
	}
	cases := map[string]struct {
		facts              NodeFacts
		attributes, domain string
	}{
		"nothing":        {NodeFacts{}, "", ""},
		"a key":          {NodeFacts{Labels: []string{"kubernetes.io/arch", "absent"}}, "kubernetes.io/arch:amd64", ""},
		"a prefix":       {NodeFacts{Labels: []string{"example.com/*"}}, "example.com/rack:12", ""},
		"without value":  {NodeFacts{Labels: []string{"node-role.*"}}, "node-role.kubernetes.io/worker:true", ""},
		"the pool's own": {NodeFacts{Labels: []string{"pool", "kubernetes.io/arch"}, Except: []string{"pool"}}, "kubernetes.io/arch:amd64", ""},
		"a domain":       {NodeFacts{Domain: true}, "", `{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-b"}}}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			facts, ok, err := FactsOf(map[string]string{AnnotationNodeFactsWanted: tc.facts.annotation()})
			if err != nil || !ok {
				t.Fatalf("the annotation reads as %v, %v", ok, err)
			}
			if attributes, domain := facts.Of(labels); attributes != tc.attributes || domain != tc.domain {
				t.Errorf("got %q, %q; want %q, %q", attributes, domain, tc.attributes, tc.domain)
			}
		})
	}
	if _, domain := (NodeFacts{Domain: true}).Of(map[string]string{"topology.kubernetes.io/region": "eu"}); domain != "" {
		t.Errorf("a region without a zone is the domain %s", domain)
	}
}

// TestLabelsReadAsAttributes: an agent reads every label that Kubernetes lets a node have.
func TestLabelsReadAsAttributes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`([a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?(\.[a-z0-9]{1,5})?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,10}[A-Za-z0-9])?`)
		value := rapid.StringMatching(`([A-Za-z0-9]([-A-Za-z0-9_.]{0,10}[A-Za-z0-9])?)?`)
		labels := rapid.MapOfN(key, value, 0, 8).Draw(t, "labels")
		text, _ := (NodeFacts{Labels: []string{"*"}}).Of(labels)
		got, err := resources.ParseAttributes("node:n;pool:p;" + text)
		if err != nil || len(got) != len(labels)+2 {
			t.Fatalf("%q reads as %d attributes, %v; want %d", text, len(got), err, len(labels)+2)
		}
	})
}
