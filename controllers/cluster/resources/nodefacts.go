package resources

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// What an agent is told of its node travels on its pod. The pod's template says what to
// tell, by AnnotationNodeFactsWanted, and holds the pod back by a scheduling gate; package
// node writes the answer into the other two annotations and opens the gate; the container
// has them in its environment, so that every start of one pod sees the same.
const (
	// AnnotationNodeFactsWanted is a NodeFacts in JSON.
	AnnotationNodeFactsWanted = "mesos.dev/node-facts"
	// AnnotationNodeAttributes is the answer: attributes as agentd reads them.
	AnnotationNodeAttributes = "mesos.dev/node-attributes"
	// AnnotationNodeDomain is the answer: a fault domain as agentd reads it, or "".
	AnnotationNodeDomain = "mesos.dev/node-domain"
	// NodeFactsGate is the scheduling gate.
	NodeFactsGate = "mesos.dev/node-facts"

	envNodeAttributes = "NODE_ATTRIBUTES"
	envNodeDomain     = "NODE_DOMAIN"
)

// NodeFacts is what the agents of a pool are to be told of their nodes.
type NodeFacts struct {
	// Labels are keys, or prefixes with a star behind them, of labels that become attributes.
	Labels []string `json:"labels,omitempty"`
	// Except are names of attributes that the pool sets itself.
	Except []string `json:"except,omitempty"`
	// Domain: region and zone become the fault domain.
	Domain bool `json:"domain,omitempty"`
}

// FactsOf reads a NodeFacts from a pod or its template; ok is false if there is none.
func FactsOf(annotations map[string]string) (facts NodeFacts, ok bool, err error) {
	text, ok := annotations[AnnotationNodeFactsWanted]
	if !ok {
		return NodeFacts{}, false, nil
	}
	if err := json.Unmarshal([]byte(text), &facts); err != nil {
		return NodeFacts{}, true, fmt.Errorf("reading annotation %s: %w", AnnotationNodeFactsWanted, err)
	}
	return facts, true, nil
}

// nodeFacts is what a pool wants to be told, and can be; nil: nothing. Regions: also the
// fault domain.
func nodeFacts(d Defaults, pool v1alpha1.AgentPool, regions bool) *NodeFacts {
	if !d.NodeLabels || !regions && len(pool.AttributesFromNodeLabels) == 0 {
		return nil
	}
	out := &NodeFacts{Domain: regions}
	for _, label := range pool.AttributesFromNodeLabels {
		out.Labels = append(out.Labels, string(label))
	}
	if len(out.Labels) > 0 {
		out.Except = append([]string{"node", "pool"}, slices.Sorted(maps.Keys(pool.Attributes))...)
	}
	return out
}

// annotation is what FactsOf reads.
func (f NodeFacts) annotation() string {
	text, err := json.Marshal(f)
	if err != nil {
		return "{}" // Not for a type of strings and a boolean.
	}
	return string(text)
}

// Of answers for a node with these labels. A label without a value becomes "true", as
// Mesos has no attributes without one; what can't be read as an attribute is left out,
// which the API server's own rules for labels rule out.
func (f NodeFacts) Of(labels map[string]string) (attributes, domain string) {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if !f.selects(key) || slices.Contains(f.Except, key) || len(content.IsLabelKey(key)) > 0 || len(content.IsLabelValue(value)) > 0 {
			continue
		}
		if value == "" {
			value = "true"
		}
		out = append(out, key+":"+value)
	}
	attributes = strings.Join(out, ";")
	if region, zone := labels[corev1.LabelTopologyRegion], labels[corev1.LabelTopologyZone]; f.Domain && region != "" && zone != "" {
		domain = faultDomain(region, zone)
	}
	return attributes, domain
}

func (f NodeFacts) selects(key string) bool {
	return slices.ContainsFunc(f.Labels, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return pattern == key || open && strings.HasPrefix(key, prefix)
	})
}

// faultDomain is the flag --domain, a DomainInfo in JSON.
func faultDomain(region, zone string) string {
	type name struct {
		Name string `json:"name"`
	}
	type domain struct {
		Region name `json:"region"`
		Zone   name `json:"zone"`
	}
	text, err := json.Marshal(map[string]domain{"fault_domain": {name{region}, name{zone}}})
	if err != nil {
		return "" // Not for two strings.
	}
	return string(text)
}

// WantsDomain tells whether the agents of a pool's DaemonSet are told their fault domains.
func WantsDomain(annotations map[string]string) bool {
	facts, _, err := FactsOf(annotations)
	return err == nil && facts.Domain
}
