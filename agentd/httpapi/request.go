package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// refusal is an answer to a request that is wrong.
type refusal struct {
	status  int
	message string
}

// Error implements error.
func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

// fail answers with an error's status, or with 500.
func fail(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{status: http.StatusInternalServerError, message: err.Error()}
	}
	if r.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	text(w, r.status, r.message)
}

// contentType checks method and content type of a call. The type is matched
// exactly, as in Mesos.
func contentType(r *http.Request, offers ...string) (string, error) {
	if r.Method != http.MethodPost {
		return "", refuse(http.StatusMethodNotAllowed, "Expecting one of { 'POST' }, but received '%s'", r.Method)
	}
	got := r.Header.Get("Content-Type")
	if got == "" {
		return "", refuse(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	}
	if !slices.Contains(offers, got) {
		return "", refuse(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of %s", strings.Join(offers, " or "))
	}
	return got, nil
}

// decode reads the body of a call.
func decode(r *http.Request, contentType string, call proto.Message) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return refuse(http.StatusRequestEntityTooLarge, "Failed to read the call: %s", err)
		}
		return refuse(http.StatusBadRequest, "Failed to read the call: %s", err)
	}
	if err := codec.Unmarshal(contentType, body, call); err != nil {
		return refuse(http.StatusBadRequest, "Failed to parse the call: %s", err)
	}
	return nil
}

// accept negotiates the content type of an answer: JSON wins over protobuf,
// and is what a client gets that doesn't say.
func accept(r *http.Request, offers ...string) (string, error) {
	got, ok := codec.Negotiate(strings.Join(r.Header.Values("Accept"), ","), offers...)
	if !ok {
		return "", refuse(http.StatusNotAcceptable, "Expecting 'Accept' to allow '%s'", strings.Join(offers, "' or '"))
	}
	return got, nil
}
