package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Whatever is posted to /api/v1 is a call that has what its type needs, or is
// refused.
func FuzzOperatorCall(f *testing.F) {
	f.Add(true, []byte(`{"type":"READ_FILE","read_file":{"path":"/x","offset":0}}`))
	f.Add(true, []byte(`{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":"5"}}}`))
	f.Add(true, []byte(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":{"seconds":1}}}`))
	f.Add(true, []byte(`{"type":7,"x":[{"y":null}]}`))
	f.Add(false, []byte{8, 1})
	f.Add(false, []byte{8, 5, 0x2a, 2, 8, 1})
	f.Fuzz(func(t *testing.T, inJSON bool, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/api/v1", bytes.NewReader(body))
		r.Header.Set("Content-Type", codec.Protobuf)
		if inJSON {
			r.Header.Set("Content-Type", codec.JSON)
		}
		call := &mesosmaster.Call{}
		w := httptest.NewRecorder()
		if !readCall(w, r, call) {
			if w.Code != http.StatusBadRequest || w.Body.Len() == 0 {
				t.Errorf("refused by %d without a reason", w.Code)
			}
			return
		}
		if missingPart(call) == "" && call.Type == nil {
			t.Error("a call without a type")
		}
	})
}

// Whatever the parameters of v0 endpoints are, the answer is JSON.
func FuzzParameters(f *testing.F) {
	f.Add("limit=-1&order=asc")
	f.Add("limit=9223372036854775807&offset=1")
	f.Add("offset=-9223372036854775808&limit=5")
	f.Add("framework_id=old-0000&task_id=service-0.instance-0&slave_id=")
	v := viewOf(f, 2)
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		for _, compose := range []composer{composeTasks, composeSlaves, composeFrameworks} {
			if body := composed(compose, v, asked{Values: query}); !json.Valid(body) {
				t.Fatalf("%q: %.300s", text, body)
			}
		}
	})
}
