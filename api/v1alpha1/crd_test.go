package v1alpha1_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

const (
	crdPath    = "../../config/crd/bases/mesos.dev_mesosclusters.yaml"
	samplePath = "../../config/samples/mesoscluster.yaml"
)

// schemaOf does what the API server does with a definition: it defaults, checks
// (CEL costs included) and compiles it.
type schemaOf struct {
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	cel        *cel.Validator
}

func loadSchema(t *testing.T) schemaOf {
	t.Helper()
	v1 := &apiextensionsv1.CustomResourceDefinition{}
	readYAML(t, crdPath, v1)
	apiextensionsv1.SetDefaults_CustomResourceDefinition(v1)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
	crd := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(v1, crd, nil); err != nil {
		t.Fatalf("converting the definition: %v", err)
	}
	crd.Status.StoredVersions = []string{"v1alpha1"}
	if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), crd); len(errs) > 0 {
		t.Fatalf("the API server would refuse the definition: %v", errs.ToAggregate())
	}
	props := crd.Spec.Validation.OpenAPIV3Schema
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		t.Fatalf("reading the schema: %v", err)
	}
	openAPI, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		t.Fatalf("compiling the schema: %v", err)
	}
	return schemaOf{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// check defaults an object in place and returns what the API server would refuse it for.
func (s schemaOf) check(t *testing.T, object, old map[string]any) field.ErrorList {
	t.Helper()
	defaulting.Default(object, s.structural)
	errs := validation.ValidateCustomResource(nil, object, s.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if len(errs) > 0 {
		return errs
	}
	var before any
	if old != nil {
		defaulting.Default(old, s.structural)
		before = old
	}
	errs, _ = s.cel.Validate(t.Context(), nil, s.structural, object, before, celconfig.RuntimeCELCostBudget)
	return errs
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("decoding %s: %v", path, err)
	}
}

func sample(t *testing.T) map[string]any {
	t.Helper()
	object := map[string]any{}
	readYAML(t, samplePath, &object)
	return object
}

func set(t *testing.T, object map[string]any, value string, path ...string) {
	t.Helper()
	var decoded any
	if err := yaml.Unmarshal([]byte(value), &decoded); err != nil {
		t.Fatalf("decoding %q: %v", value, err)
	}
	// The API server's decoder yields int64 where YAML's yields float64.
	decoded = integers(decoded)
	target := object
	if path[0] == "pool" {
		pools, _, _ := unstructured.NestedSlice(object, "spec", "agentPools")
		pool := pools[0].(map[string]any)
		if err := unstructured.SetNestedField(pool, decoded, path[1:]...); err != nil {
			t.Fatalf("setting %v: %v", path, err)
		}
		decoded, path = pools, []string{"spec", "agentPools"}
	}
	if err := unstructured.SetNestedField(target, decoded, path...); err != nil {
		t.Fatalf("setting %v: %v", path, err)
	}
}

func integers(value any) any {
	switch v := value.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	}
	return value
}

func normalised(t *testing.T) map[string]any {
	t.Helper()
	return integers(sample(t)).(map[string]any)
}

func TestSampleIsAccepted(t *testing.T) {
	if errs := loadSchema(t).check(t, normalised(t), nil); len(errs) > 0 {
		t.Fatalf("the sample is refused: %v", errs.ToAggregate())
	}
}

func TestDefaults(t *testing.T) {
	object := map[string]any{
		"apiVersion": "mesos.dev/v1alpha1", "kind": "MesosCluster",
		"metadata": map[string]any{"name": "demo"},
		"spec": map[string]any{"agentPools": []any{map[string]any{
			"name": "p", "resources": map[string]any{"cpu": int64(2), "memory": "1Gi"},
		}}},
	}
	if errs := loadSchema(t).check(t, object, nil); len(errs) > 0 {
		t.Fatalf("a short MesosCluster is refused: %v", errs.ToAggregate())
	}
	got, err := yaml.Marshal(object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	want := `agentPools:
- attributesFromNodeLabels:
  - kubernetes.io/arch
  - node.kubernetes.io/instance-type
  - topology.kubernetes.io/region
  - topology.kubernetes.io/zone
  isolation:
  - cgroups/cpu
  - cgroups/mem
  maxUnavailable: 1
  name: p
  port: 5051
  resources:
    cpu: 2
    ephemeralStorage: 1Gi
    memory: 1Gi
    ports:
    - begin: 31000
      end: 32000
  runtime: posix
exposure:
  type: ClusterIP
masters:
  replicas: 1
  resources:
    requests:
      cpu: 100m
      memory: 256Mi
  storage:
    reclaim: Delete
    size: 1Gi
`
	if string(got) != want {
		t.Errorf("defaulted spec:\n%s\nwant:\n%s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		path    []string
		value   string
		message string
	}{
		"two masters":             {[]string{"spec", "masters", "replicas"}, "2", "write 1, 3 or 5"},
		"long name":               {[]string{"metadata", "name"}, strings.Repeat("a", 41), "write at most 40 lower-case letters"},
		"name with a digit first": {[]string{"metadata", "name"}, "1st", "beginning with a letter"},
		"dotted name":             {[]string{"metadata", "name"}, "a.b", "write at most 40 lower-case letters"},
		"no storage":              {[]string{"spec", "masters", "storage", "size"}, "0", "as in size: 1Gi"},
		"unknown reclaim":         {[]string{"spec", "masters", "storage", "reclaim"}, "Recycle", `supported values: "Delete", "Retain"`},
		"master's own flag":       {[]string{"spec", "masters", "flags"}, "{port: '5050'}", "leave out ip, port"},
		"master's registry":       {[]string{"spec", "masters", "flags"}, "{registry: in_memory}", "leave out cluster, work_dir, registry"},
		"master's zk":             {[]string{"spec", "masters", "flags"}, "{zk: 'zk://a/b'}", "masters elect among themselves"},
		"flag with dashes":        {[]string{"spec", "masters", "flags"}, "{--quiet: 'true'}", "write a flag's name without dashes"},
		"unquoted flag":           {[]string{"spec", "masters", "flags"}, "{quiet: true}", "must be of type string"},
		"node port alone":         {[]string{"spec", "exposure"}, "{nodePort: 30050}", "write type: NodePort or LoadBalancer"},
		"balancer class alone":    {[]string{"spec", "exposure"}, "{type: NodePort, loadBalancerClass: x}", "write type: LoadBalancer"},
		"Kubernetes's audience":   {[]string{"spec", "authentication"}, "{serviceAccounts: {audiences: ['https://kubernetes.default.svc']}}", "leave out the audience of Kubernetes itself"},
		"no audience":             {[]string{"spec", "authentication"}, "{serviceAccounts: {audiences: []}}", "should have at least 1 items"},
		"two audiences in one":    {[]string{"spec", "authentication"}, "{serviceAccounts: {audiences: ['a,b']}}", "without commas, spaces and dollar signs"},
		"audiences as a flag":     {[]string{"spec"}, "{masters: {flags: {kube_token_audiences: a}}, authentication: {serviceAccounts: {}}}", "in place of the flag kube_token_audiences of masters"},
		"pool without a cpu":      {[]string{"pool", "resources", "cpu"}, "0", "write at least 10m"},
		"pool with text as cpu":   {[]string{"pool", "resources", "cpu"}, "many", "should match"},
		"pool with tiny memory":   {[]string{"pool", "resources", "memory"}, "512", "write at least 32Mi"},
		"pool without memory":     {[]string{"pool", "resources"}, "{cpu: 1}", "resources.memory: Required value"},
		"negative disk":           {[]string{"pool", "resources", "ephemeralStorage"}, "-1Gi", "write a size, as in ephemeralStorage: 20Gi"},
		"ports upside down":       {[]string{"pool", "resources", "ports"}, "[{begin: 32000, end: 31000}]", "write the lower port as begin"},
		"agent's port offered":    {[]string{"pool", "port"}, "31500", "port lies in resources.ports"},
		"pool named badly":        {[]string{"pool", "name"}, "SSD_nodes", "write lower-case letters, digits and dashes"},
		"attribute's value":       {[]string{"pool", "attributes"}, "{rack: 'a;b'}", "text without semicolons"},
		"attribute's brackets":    {[]string{"pool", "attributes"}, "{rack: 'a(b)'}", "text without semicolons"},
		"attribute half a range":  {[]string{"pool", "attributes"}, "{rack: '[1-'}", "or as ranges: [1-10]"},
		"attribute a set":         {[]string{"pool", "attributes"}, "{rack: '{a, b}'}", "no sets as attributes"},
		"label with a space":      {[]string{"pool", "attributesFromNodeLabels"}, "[a b]", "the beginning of keys with a star"},
		"star in the middle":      {[]string{"pool", "attributesFromNodeLabels"}, "['example.com/*/x']", "the beginning of keys with a star"},
		"domain with a quote":     {[]string{"spec", "faultDomain"}, "{region: 'e\"u'}", "as nodes' labels do"},
		"attribute's name":        {[]string{"pool", "attributes"}, "{'rack:': a}", "write attribute names with"},
		"resources as a flag":     {[]string{"pool", "flags"}, "{resources: 'cpus:1'}", "write agentPools[].resources"},
		"agent's work_dir":        {[]string{"pool", "flags"}, "{work_dir: /tmp}", "what upgrades and clean-up rely on"},
		"agent's master":          {[]string{"pool", "flags"}, "{master: a}", "leave out ip, port"},
		"isolator's name":         {[]string{"pool", "isolation"}, "['cgroups cpu']", "should match"},
		"isolator twice":          {[]string{"pool", "isolation"}, "[a, a]", "Duplicate value"},
		"unknown runtime":         {[]string{"pool", "runtime"}, "docker", `supported values: "posix", "oci"`},
		"nothing unavailable":     {[]string{"pool", "maxUnavailable"}, "0", "write a number of agents, at least 1"},
		"secret's name":           {[]string{"pool", "secrets"}, "['../etc']", "write the name of a Secret"},
		"secret twice":            {[]string{"pool", "secrets"}, "[a, a]", "Duplicate value"},
		"secrets twice set up": {[]string{"spec", "agentPools"}, "[{name: p, resources: {cpu: 1, memory: 1Gi}, secrets: [a], flags: {secret_resolver: kubernetes}}]",
			"leave out the flags secret_resolver"},
		"share without percent": {[]string{"pool", "maxUnavailable"}, "'10'", "a share such as 10%"},
	}
	schema := loadSchema(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			object := normalised(t)
			set(t, object, tc.value, tc.path...)
			errs := schema.check(t, object, nil)
			if len(errs) == 0 {
				t.Fatalf("%v = %s was accepted", tc.path, tc.value)
			}
			if got := errs.ToAggregate().Error(); !strings.Contains(got, tc.message) {
				t.Errorf("refused with %q, want %q in it", got, tc.message)
			}
		})
	}
}

func TestChangesRefused(t *testing.T) {
	cases := map[string]struct {
		path          []string
		before, after string
		message       string
	}{
		"storage size":  {[]string{"spec", "masters", "storage"}, "{size: 1Gi}", "{size: 2Gi}", "expand the PersistentVolumeClaims"},
		"storage class": {[]string{"spec", "masters", "storage"}, "{size: 1Gi}", "{size: 1Gi, storageClassName: fast}", "storageClassName can't change"},
	}
	for name, change := range map[string][3]string{
		"pool's port":       {"port", "5051", "5061"},
		"attribute changed": {"attributes", "{a: x}", "{a: w}"},
		"attribute removed": {"attributes", "{a: x, b: w}", "{b: w}"},
		"less cpu":          {"resources", "{cpu: 2, memory: 1Gi}", "{cpu: 1500m, memory: 1Gi}"},
		"less memory":       {"resources", "{cpu: 2, memory: 1Gi}", "{cpu: 2, memory: 1000Mi}"},
		"less disk":         {"resources", "{cpu: 2, memory: 1Gi, ephemeralStorage: 1Gi}", "{cpu: 2, memory: 1Gi, ephemeralStorage: 1G}"},
		"other ports":       {"resources", "{cpu: 2, memory: 1Gi, ports: [{begin: 1, end: 9}]}", "{cpu: 2, memory: 1Gi, ports: [{begin: 2, end: 9}]}"},
	} {
		cases[name] = struct {
			path          []string
			before, after string
			message       string
		}{[]string{"pool", change[0]}, change[1], change[2], "add a pool of another name"}
	}
	schema := loadSchema(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			old, object := normalised(t), normalised(t)
			set(t, old, tc.before, tc.path...)
			set(t, object, tc.after, tc.path...)
			errs := schema.check(t, object, old)
			if len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), tc.message) {
				t.Errorf("got %v, want %q", errs.ToAggregate(), tc.message)
			}
		})
	}
	for name, change := range map[string][3]string{
		"more attributes": {"attributes", "{a: x}", "{a: x, b: w, slots: '[1-4, 6-9]', url: 'http://x:1/a.b', n: '3.5'}"},
		"more of all":     {"resources", "{cpu: 1, memory: 1Gi, ports: [{begin: 2, end: 9}]}", "{cpu: 2, memory: 2048Mi, ephemeralStorage: 9Gi, ports: [{begin: 20, end: 29}, {begin: 1, end: 9}]}"},
		"more isolation":  {"isolation", "[cgroups/cpu]", "[cgroups/cpu, cgroups/mem, cgroups/pids]"},
	} {
		t.Run(name, func(t *testing.T) {
			old, object := normalised(t), normalised(t)
			set(t, old, change[1], "pool", change[0])
			set(t, object, change[2], "pool", change[0])
			if errs := schema.check(t, object, old); len(errs) > 0 {
				t.Errorf("refused: %v", errs.ToAggregate())
			}
		})
	}
	t.Run("the same size in other units", func(t *testing.T) {
		old, object := normalised(t), normalised(t)
		set(t, old, "1Gi", "spec", "masters", "storage", "size")
		set(t, object, "1024Mi", "spec", "masters", "storage", "size")
		if errs := schema.check(t, object, old); len(errs) > 0 {
			t.Errorf("refused: %v", errs.ToAggregate())
		}
	})
}
