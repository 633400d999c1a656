package httpapi

import (
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

const plainText = "text/plain; charset=utf-8"

// text sends a status with an explanation, or with no body if there is none.
func text(w http.ResponseWriter, status int, body string) {
	if body == "" {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	httpserver.Write(w, status, plainText, []byte(body))
}

func jsonBody(w http.ResponseWriter, body []byte) {
	httpserver.Write(w, http.StatusOK, codec.JSON, body)
}

// message sends a message in the content type that was negotiated.
func (a *API) message(w http.ResponseWriter, contentType string, m proto.Message) {
	body, err := codec.Marshal(contentType, m)
	if err != nil {
		a.cfg.Log.Error(err, "encoding an answer")
		text(w, http.StatusInternalServerError, err.Error())
		return
	}
	httpserver.Write(w, http.StatusOK, contentType, body)
}

// reply sends what the machine answered.
func (a *API) reply(w http.ResponseWriter, contentType string, r state.Reply) {
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(max(1, r.RetryAfter.Seconds()))))
	}
	if r.Message != nil {
		a.message(w, contentType, r.Message)
		return
	}
	text(w, r.Status, r.Text)
}
