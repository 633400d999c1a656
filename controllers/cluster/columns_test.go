package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// What `kubectl get mesosclusters` shows, as the API server makes it.
func TestColumns(t *testing.T) {
	w := newWorld(t)
	w.running()
	config := rest.CopyConfig(apiServer)
	config.GroupVersion = &v1alpha1.GroupVersion
	config.APIPath = "/apis"
	config.NegotiatedSerializer = serializer.NewCodecFactory(testScheme()).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	w.must(err)
	raw, err := c.Get().Namespace(w.namespace).Resource("mesosclusters").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	w.must(err)
	var table metav1.Table
	w.must(json.Unmarshal(raw, &table))

	var narrow, wide []string
	row := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			narrow = append(narrow, column.Name)
		} else {
			wide = append(wide, column.Name)
		}
		row[column.Name] = table.Rows[0].Cells[i]
	}
	if want := []string{"Name", "Ready", "Masters", "Agents", "Leader", "Age"}; !cmp.Equal(narrow, want) {
		t.Errorf("columns %q, want %q", narrow, want)
	}
	if want := []string{"Version", "Endpoint", "Message"}; !cmp.Equal(wide, want) {
		t.Errorf("wide columns %q, want %q", wide, want)
	}
	for column, want := range map[string]string{
		"Name": "demo", "Ready": "True", "Masters": "1/1", "Agents": "2/2", "Leader": "demo-master-0",
		"Version": "1.11.0", "Endpoint": "http://demo-leader." + w.namespace + ".svc:5050", "Message": "demo-master-0 leads",
	} {
		if got, _ := row[column].(string); !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", column, got, want)
		}
	}
}
