package quickstart

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeMaster speaks the part of the v1 scheduler API that the session uses: it
// offers, runs the task through its states, each sent when the one before it has been
// acknowledged, and notes the calls.
type fakeMaster struct {
	mu     sync.Mutex
	calls  []string
	wrong  []string
	events chan string
	states []string
}

const (
	fakeID     = "1d8f9f02-90c0-44d9-8935-b7de0324462d"
	fakeStream = "b0f4f345-9c30-44f5-bc36-4737789b83b8"
)

func (m *fakeMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Type        string
		FrameworkID struct{ Value string } `json:"framework_id"`
		Accept      struct {
			OfferIDs []struct{ Value string } `json:"offer_ids"`
		}
		Acknowledge struct{ UUID []byte }
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		m.note("", err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if call.Type == "SUBSCRIBE" {
		m.note(call.Type, "")
		m.stream(w, r)
		return
	}
	wrong := ""
	switch {
	case r.Header.Get("Mesos-Stream-Id") != fakeStream:
		wrong = "stream " + r.Header.Get("Mesos-Stream-Id")
	case call.FrameworkID.Value != fakeID+"-0001":
		wrong = "framework " + call.FrameworkID.Value
	case call.Type == "ACCEPT" && (len(call.Accept.OfferIDs) != 1 || call.Accept.OfferIDs[0].Value != fakeID+"-O4"):
		wrong = fmt.Sprint("offers ", call.Accept.OfferIDs)
	}
	m.note(call.Type, wrong)
	m.advance(call.Type, string(call.Acknowledge.UUID))
	w.WriteHeader(http.StatusAccepted)
}

func (m *fakeMaster) note(call, wrong string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) == 0 || m.calls[len(m.calls)-1] != call { // acknowledgements may be repeated
		m.calls = append(m.calls, call)
	}
	if wrong != "" {
		m.wrong = append(m.wrong, call+": "+wrong)
	}
}

// advance sends the next state, unless the acknowledgement is for an older one.
func (m *fakeMaster) advance(call, uuid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := len(m.states)
	if call == "TEARDOWN" {
		close(m.events)
		return
	}
	if left == 0 || (call == "ACKNOWLEDGE" && uuid != fmt.Sprint("update", left+1)) {
		return
	}
	m.events <- fmt.Sprintf(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"hello-1"},"state":"%s","uuid":"%s"}}}`,
		m.states[0], base64.StdEncoding.EncodeToString(fmt.Append(nil, "update", left)))
	m.states = m.states[1:]
}

func (m *fakeMaster) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Mesos-Stream-Id", fakeStream)
	w.Header().Set("Content-Type", "application/json")
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-m.events:
			if !ok {
				return
			}
			fmt.Fprintf(w, "%d\n%s", len(e), e)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// TestTheSessionWorksWhenPasted runs the printed text in a shell.
func TestTheSessionWorksWhenPasted(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	m := &fakeMaster{events: make(chan string, 16), states: []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"}}
	m.events <- `{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"` + fakeID + `-0001"},"master_info":{"id":"` + fakeID + `"}}}`
	m.events <- `{"type":"HEARTBEAT"}`
	m.events <- `{"type":"OFFERS","offers":{"offers":[{"id":{"value":"` + fakeID + `-O4"},"framework_id":{"value":"` + fakeID +
		`-0001"},"agent_id":{"value":"` + fakeID + `-S0"},"hostname":"node1"}]}}`
	server := httptest.NewServer(m)
	defer server.Close()

	text, err := session{Endpoint: strings.TrimPrefix(server.URL, "http://")}.render()
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(text, "as a whole):\n")
	cmd := exec.CommandContext(t.Context(), "bash", "-eu")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the session failed: %v\n%s", err, out)
	}
	want := "\"state\":\"TASK_STARTING\"\n\"state\":\"TASK_RUNNING\"\n\"state\":\"TASK_FINISHED\"\n"
	if string(out) != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	if !slices.Equal(m.calls, []string{"SUBSCRIBE", "ACCEPT", "ACKNOWLEDGE", "TEARDOWN"}) || len(m.wrong) > 0 {
		t.Errorf("calls %q, wrong ones: %q", m.calls, m.wrong)
	}
}
