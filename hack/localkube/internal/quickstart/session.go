package quickstart

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed session.txt
var sessionText string

var sessionTemplate = template.Must(template.New("session").Parse(sessionText))

// session fills session.txt.
type session struct {
	// Kubeconfig is to be exported; empty if the user's own is right.
	Kubeconfig string
	// Bin is the folder with kubectl and mesosctl.
	Bin string
	// Table is what kubectl prints about MesosClusters.
	Table string
	// Forward is the command that makes the master reachable at Endpoint, if one is needed.
	Forward string
	// Endpoint is the leading master as host:port.
	Endpoint string
	// Namespace and Name are the MesosCluster's.
	Namespace, Name string
}

func (s session) render() (string, error) {
	var b strings.Builder
	err := sessionTemplate.Execute(&b, s)
	return b.String(), err
}

// explain prints where the cluster is and how to use it by hand.
func (q Quickstart) explain(ctx context.Context, t target, mc key) error {
	table, err := t.kubectl.Run(ctx, "get", "mesosclusters", "--all-namespaces")
	if err != nil {
		return err
	}
	s := session{
		Kubeconfig: t.kubectl.Kubeconfig, Bin: q.bin(""), Table: table,
		Namespace: mc.namespace, Name: mc.name, Endpoint: "127.0.0.1:5050",
	}
	service := mc.name + "-leader"
	if t.local { // this machine has a route to the services
		ip, err := t.kubectl.Run(ctx, "get", "service", service, "--namespace="+mc.namespace, "--output=jsonpath={.spec.clusterIP}")
		if err != nil {
			return err
		}
		s.Endpoint = ip + ":5050"
	} else {
		s.Forward = fmt.Sprintf("kubectl port-forward --namespace=%s service/%s 5050:5050 >/dev/null &", mc.namespace, service)
	}
	text, err := s.render()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(q.Out, text)
	return err
}
