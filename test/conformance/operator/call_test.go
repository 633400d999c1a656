package operator

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

type (
	object = testbed.Object
	list   = testbed.List
)

var encodings = []testbed.Encoding{testbed.JSON, testbed.Protobuf}

// client makes calls of the operator API in one content type.
type client struct {
	t        *testing.T
	master   *testbed.Master
	encoding testbed.Encoding
}

// send makes a call. name is its type, and that of its member in lower case,
// which is left out if body is nil.
func (c client) send(name string, body object) testbed.Answer {
	c.t.Helper()
	call := object{"type": name}
	if body != nil {
		call[strings.ToLower(name)] = body
	}
	text, err := json.Marshal(call)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.encoding == testbed.Protobuf {
		message := &mesosmaster.Call{}
		if err := protojson.Unmarshal(text, message); err != nil {
			c.t.Fatal(err)
		}
		if text, err = proto.Marshal(message); err != nil {
			c.t.Fatal(err)
		}
	}
	header := http.Header{"Content-Type": {string(c.encoding)}, "Accept": {string(c.encoding)}}
	return testbed.Do(c.t, http.MethodPost, c.master.URL("/api/v1"), header, text)
}

// ok makes a call that must succeed without an answer.
func (c client) ok(name string, body object) {
	c.t.Helper()
	if answer := c.send(name, body); answer.Status != http.StatusOK || len(answer.Body) != 0 {
		c.t.Fatalf("%s: %d %s", name, answer.Status, answer.Text())
	}
}

// refused makes a call that must fail with a reason.
func (c client) refused(status int, name string, body object) {
	c.t.Helper()
	if answer := c.send(name, body); answer.Status != status || answer.Text() == "" {
		c.t.Errorf("%s: %d %q, want %d with a reason: %v", name, answer.Status, answer.Text(), status, body)
	}
}

// ask makes a call that has an answer, and returns its member of the call's name.
func (c client) ask(name string) testbed.Value {
	c.t.Helper()
	answer := c.send(name, nil)
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != string(c.encoding) {
		c.t.Fatalf("%s: %d %s %s", name, answer.Status, answer.Header.Get("Content-Type"), answer.Text())
	}
	text := answer.Body
	if c.encoding == testbed.Protobuf {
		message := &mesosmaster.Response{}
		if err := proto.Unmarshal(text, message); err != nil {
			c.t.Fatal(err)
		}
		var err error
		if text, err = (protojson.MarshalOptions{UseProtoNames: true}).Marshal(message); err != nil {
			c.t.Fatal(err)
		}
	}
	response := testbed.MustParse(c.t, text)
	if response.At("type").Text() != name {
		c.t.Errorf("%s is answered with %v", name, response.At("type"))
	}
	return response.At(strings.ToLower(name))
}

// eachEncoding runs a test in both content types, each with a master of its own.
func eachEncoding(t *testing.T, test func(t *testing.T, c client)) {
	for _, encoding := range encodings {
		t.Run(string(encoding), func(t *testing.T) {
			test(t, client{t, testbed.StartMaster(t), encoding})
		})
	}
}

// recorded is the body of an answer of a real Mesos.
func recorded(t *testing.T, name string) testbed.Value {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return testbed.MustParse(t, data).At("body")
}

// checkShape holds an answer against a recorded one. Members in maps are data,
// optional ones may be missing or new.
func checkShape(t *testing.T, got, want testbed.Value, maps []string, optional ...string) {
	t.Helper()
	differences := testbed.ShapeOf(got, maps...).Differences(testbed.ShapeOf(want, maps...), optional...)
	if len(differences) > 0 {
		t.Errorf("%v\n  %s", got, strings.Join(differences, "\n  "))
	}
}

// do makes a request to a v0 endpoint.
func do(t *testing.T, master *testbed.Master, method, path, body string) testbed.Answer {
	t.Helper()
	return testbed.Do(t, method, master.URL(path), nil, []byte(body))
}

// expect makes one that must be answered with a status.
func expect(t *testing.T, master *testbed.Master, status int, method, path, body string) {
	t.Helper()
	if answer := do(t, master, method, path, body); answer.Status != status {
		t.Errorf("%s %s %s: %d %s, want %d", method, path, body, answer.Status, answer.Text(), status)
	}
}
