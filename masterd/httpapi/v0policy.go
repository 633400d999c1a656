package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// The v0 endpoints by which operators set policy. Each turns its body into the
// call of the operator API that does the same. As in Mesos no Content-Type is
// asked for: the body is JSON.

// maxPolicy bounds such a body; a schedule of 10,000 machines has a tenth of it.
const maxPolicy = 16 << 20

// methods answers an endpoint by the request's method. HEAD is answered as GET.
func (a *API) methods(byMethod map[string]handler, order ...string) handler {
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := byMethod[method]; h != nil {
			h(w, r, principal)
			return
		}
		if a.leading(w, r) != nil {
			w.Header().Set("Allow", strings.Join(order, ", "))
			text(w, http.StatusMethodNotAllowed,
				fmt.Sprintf("Expecting one of { '%s' }, but received '%s'", strings.Join(order, "', '"), r.Method))
		}
	}
}

// change answers a request that changes something by making a call of it.
func (a *API) change(callOf func(r *http.Request) (*mesosmaster.Call, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		e := a.leading(w, r)
		if e == nil {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxPolicy)
		call, err := callOf(r)
		if err != nil {
			text(w, statusOfBody(err), err.Error())
			return
		}
		reply, err := a.submit(r.Context(), e, principal, call)
		if err != nil {
			a.failed(w, r, err)
			return
		}
		a.reply(w, codec.JSON, reply)
	}
}

// readJSON reads a body into a message.
func readJSON(r *http.Request, m proto.Message) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if err := codec.Unmarshal(codec.JSON, body, m); err != nil {
		return fmt.Errorf("parsing the request: %w", err)
	}
	return nil
}

// readList reads a body that is a list of messages.
func readList[T any, M interface {
	*T
	proto.Message
}](r *http.Request) ([]M, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	list, err := parseList[T, M](body)
	if err != nil {
		return nil, fmt.Errorf("parsing the request: %w", err)
	}
	return list, nil
}

// parseList reads a JSON array of messages. In messages null is a field that is
// not there, but here it is an element, and no message.
func parseList[T any, M interface {
	*T
	proto.Message
}](text []byte) ([]M, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return nil, errors.New("expected a JSON array")
	}
	var list []M
	for d.More() {
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return nil, fmt.Errorf("element %d: %w", len(list), err)
		}
		m := M(new(T))
		if err := codec.Unmarshal(codec.JSON, element, m); err != nil {
			return nil, fmt.Errorf("element %d: %w", len(list), err)
		}
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("a JSON array without an end")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the end of the JSON array")
	}
	return list, nil
}

func putWeights(r *http.Request) (*mesosmaster.Call, error) {
	infos, err := readList[mesos.WeightInfo](r)
	return &mesosmaster.Call{
		Type:          mesosmaster.Call_UPDATE_WEIGHTS.Enum(),
		UpdateWeights: &mesosmaster.Call_UpdateWeights{WeightInfos: infos},
	}, err
}

func postQuota(r *http.Request) (*mesosmaster.Call, error) {
	request := &quota.QuotaRequest{}
	err := readJSON(r, request)
	return &mesosmaster.Call{
		Type:     mesosmaster.Call_SET_QUOTA.Enum(),
		SetQuota: &mesosmaster.Call_SetQuota{QuotaRequest: request},
	}, err
}

// deleteQuota takes the role from the path: /quota/<role>, where the role may
// have slashes.
func deleteQuota(r *http.Request) (*mesosmaster.Call, error) {
	path := strings.TrimPrefix(strings.Trim(r.URL.Path, "/"), Process+"/")
	_, role, _ := strings.Cut(path, "/")
	if role = strings.Trim(role, "/"); role == "" {
		return nil, fmt.Errorf("path %s names no role: expected /quota/<role>", r.URL.Path)
	}
	return &mesosmaster.Call{
		Type:        mesosmaster.Call_REMOVE_QUOTA.Enum(),
		RemoveQuota: &mesosmaster.Call_RemoveQuota{Role: &role},
	}, nil
}
