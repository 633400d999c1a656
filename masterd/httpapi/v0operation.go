package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// The v0 endpoints by which operators reserve resources and make volumes. Each
// turns its form into the call of the operator API that does the same.

// post answers an endpoint that is only for POST.
func (a *API) post(callOf func(*http.Request) (*mesosmaster.Call, error)) handler {
	return a.methods(map[string]handler{http.MethodPost: a.change(callOf)}, http.MethodPost)
}

// operationForm is the form-encoded body of such a request.
type operationForm struct{ values url.Values }

func readOperationForm(r *http.Request) (operationForm, error) {
	values, err := readForm(r)
	if err != nil {
		return operationForm{}, err
	}
	if !values.Has("slaveId") {
		return operationForm{}, missingParameter("slaveId")
	}
	return operationForm{values}, nil
}

// readForm reads the parameters in a request's body.
func readForm(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	values, err := httpserver.ParseParameters(string(body))
	if err != nil {
		return nil, fmt.Errorf("reading the form: %w", err)
	}
	return values, nil
}

func missingParameter(name string) error {
	return fmt.Errorf("missing '%s' query parameter in the request body", name)
}

func (f operationForm) agent() *mesos.AgentID {
	return &mesos.AgentID{Value: new(f.values.Get("slaveId"))}
}

// list reads a parameter that is a JSON array of resources.
func (f operationForm) list(name string) ([]*mesos.Resource, error) {
	if !f.values.Has(name) {
		return nil, missingParameter(name)
	}
	resources, err := parseList[mesos.Resource]([]byte(f.values.Get(name)))
	if err != nil {
		return nil, fmt.Errorf("parsing '%s' query parameter in the request body: %w", name, err)
	}
	return resources, nil
}

func postReserve(r *http.Request) (*mesosmaster.Call, error) {
	form, err := readOperationForm(r)
	if err != nil {
		return nil, err
	}
	reserve := &mesosmaster.Call_ReserveResources{AgentId: form.agent()}
	if reserve.Resources, err = form.list("resources"); err == nil && form.values.Has("source") {
		reserve.Source, err = form.list("source")
	}
	return &mesosmaster.Call{Type: mesosmaster.Call_RESERVE_RESOURCES.Enum(), ReserveResources: reserve}, err
}

func postUnreserve(r *http.Request) (*mesosmaster.Call, error) {
	form, list, err := readOperation(r, "resources")
	return &mesosmaster.Call{
		Type:               mesosmaster.Call_UNRESERVE_RESOURCES.Enum(),
		UnreserveResources: &mesosmaster.Call_UnreserveResources{AgentId: form.agent(), Resources: list},
	}, err
}

func postCreateVolumes(r *http.Request) (*mesosmaster.Call, error) {
	form, list, err := readOperation(r, "volumes")
	return &mesosmaster.Call{
		Type:          mesosmaster.Call_CREATE_VOLUMES.Enum(),
		CreateVolumes: &mesosmaster.Call_CreateVolumes{AgentId: form.agent(), Volumes: list},
	}, err
}

func postDestroyVolumes(r *http.Request) (*mesosmaster.Call, error) {
	form, list, err := readOperation(r, "volumes")
	return &mesosmaster.Call{
		Type:           mesosmaster.Call_DESTROY_VOLUMES.Enum(),
		DestroyVolumes: &mesosmaster.Call_DestroyVolumes{AgentId: form.agent(), Volumes: list},
	}, err
}

func readOperation(r *http.Request, parameter string) (operationForm, []*mesos.Resource, error) {
	form, err := readOperationForm(r)
	if err != nil {
		return form, nil, err
	}
	list, err := form.list(parameter)
	return form, list, err
}
