package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// readCall checks method and content type of a call and decodes it. On failure
// it has answered the request.
func readCall(w http.ResponseWriter, r *http.Request, call proto.Message) bool {
	status, err := decodeCall(r, call)
	if err == nil {
		return true
	}
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	text(w, status, err.Error())
	return false
}

func decodeCall(r *http.Request, call proto.Message) (status int, err error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, fmt.Errorf("Expecting one of { 'POST' }, but received '%s'", r.Method)
	}
	contentType := r.Header.Get("Content-Type")
	if !has(r.Header, "Content-Type") {
		return http.StatusBadRequest, errors.New("Expecting 'Content-Type' to be present")
	}
	if contentType != codec.JSON && contentType != codec.Protobuf {
		return http.StatusUnsupportedMediaType, fmt.Errorf(
			"Expecting 'Content-Type' of %s or %s, not '%.100s'", codec.JSON, codec.Protobuf, contentType)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return statusOfBody(err), fmt.Errorf("reading the call: %w", err)
	}
	if err := codec.Unmarshal(contentType, body, call); err != nil {
		return http.StatusBadRequest, fmt.Errorf("Failed to parse the call: %w", err)
	}
	return http.StatusOK, nil
}

func statusOfBody(err error) int {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// accepted negotiates the content type of an answer. JSON wins over protobuf,
// and is what a client gets that doesn't say. On failure it has answered.
func accepted(w http.ResponseWriter, r *http.Request) (contentType string, ok bool) {
	contentType, ok = codec.Negotiate(r.Header.Get("Accept"), codec.JSON, codec.Protobuf)
	if !ok {
		text(w, http.StatusNotAcceptable,
			"Expecting 'Accept' to allow '"+codec.Protobuf+"' or '"+codec.JSON+"'")
	}
	return contentType, ok
}

// has says whether a header is there, be it empty.
func has(h http.Header, name string) bool { return len(h.Values(name)) > 0 }
