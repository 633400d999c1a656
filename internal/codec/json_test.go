package codec

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

func TestAppendJSON(t *testing.T) {
	tests := map[string]struct {
		message mesosjson.Message
		want    string
	}{
		"empty message":                {&mesos.Labels{}, `{}`},
		"empty lists are left out":     {&mesos.Labels{Labels: []*mesos.Label{}}, `{}`},
		"names as declared":            {&mesos.TaskStatus{TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState_TASK_RUNNING.Enum()}, `{"task_id":{"value":"t"},"state":"TASK_RUNNING"}`},
		"bytes are base64":             {&mesos.UUID{Value: []byte{0xfb, 0xff}}, `{"value":"+/8="}`},
		"64 bits are numbers":          {&mesos.DurationInfo{Nanoseconds: new(int64(math.MinInt64))}, `{"nanoseconds":-9223372036854775808}`},
		"unsigned 64 bits":             {&mesos.Value_Range{Begin: new(uint64(1)), End: new(uint64(math.MaxUint64))}, `{"begin":1,"end":18446744073709551615}`},
		"whole doubles keep the point": {&mesos.Value_Scalar{Value: new(4.0)}, `{"value":4.0}`},
		"declared default is written":  {&mesos.CommandInfo{}, `{"shell":true}`},
		"maps are objects":             {&mesos.TaskInfo{Limits: map[string]*mesos.Value_Scalar{"mem": {Value: new(1.5)}, "cpus": {Value: new(math.Inf(1))}}}, `{"limits":{"cpus":{"value":Infinity},"mem":{"value":1.5}}}`},
		"oneof":                        {&scheduler.AttributeConstraint_Selector{Selector: &scheduler.AttributeConstraint_Selector_AttributeName{AttributeName: "rack"}}, `{"attribute_name":"rack"}`},
		"google duration":              {&master.Call_DrainAgent{MaxGracePeriod: durationpb.New(1500e6)}, `{"max_grace_period":{"seconds":1,"nanos":500000000},"mark_gone":false}`},
		"strings":                      {&mesos.Label{Key: new("a\"\\/\b\f\n\r\t\x01é😀\xff")}, `{"key":"a\"\\/\b\f\n\r\t\u0001é😀` + "\uFFFD" + `"}`},
		"nil element":                  {&mesos.Labels{Labels: []*mesos.Label{nil}}, `{"labels":[{}]}`},
		"unknown enum number":          {&mesos.TaskStatus{State: mesos.TaskState(99).Enum()}, `{"state":99}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(AppendJSON(nil, test.message)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A deprecated field with a default (Resource.role) is not written when it is unset.
func TestDeprecatedDefaultIsLeftOut(t *testing.T) {
	if got := string(AppendJSON(nil, &mesos.Resource{Name: new("cpus")})); got != `{"name":"cpus"}` {
		t.Error(got)
	}
}

func TestAppendDouble(t *testing.T) {
	tests := map[float64]string{
		0: "0.0", 1: "1.0", -1: "-1.0", 0.1: "0.1", 1e-6: "0.000001", 1e-7: "1e-7", 1.5e-10: "1.5e-10",
		1e15: "1000000000000000.0", 123456789012345680: "123456789012345680.0", 1e20: "100000000000000000000.0",
		1e21: "1e21", 1.25e300: "1.25e300", math.MaxFloat64: "1.7976931348623157e308", 1234.5: "1234.5",
		math.Copysign(0, -1): "-0.0", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	}
	for v, want := range tests {
		if got := string(mesosjson.AppendDouble(nil, v)); got != want && !(v == 0 && got == "-0.0") {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestUnmarshalJSON(t *testing.T) {
	status := func() *mesos.TaskStatus {
		return &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState_TASK_LOST.Enum()}
	}
	tests := map[string]struct {
		in   string
		into proto.Message
		want proto.Message
		err  string
	}{
		"plain":                       {in: `{"task_id":{"value":"t"},"state":"TASK_LOST"}`, want: status()},
		"white space":                 {in: " {\n\t\"task_id\" : { \"value\" : \"t\" } ,\r\n \"state\" : \"TASK_LOST\" } \n", want: status()},
		"unknown fields of any kind":  {in: `{"x":[1,{"y":null}],"z":{"a":[]},"task_id":{"value":"t","q":-1.5e3},"state":"TASK_LOST","w":true}`, want: status()},
		"null is unset":               {in: `{"message":null,"labels":null,"task_id":{"value":"t"},"state":"TASK_LOST"}`, want: status()},
		"unknown optional enum":       {in: `{"reason":"REASON_OF_TOMORROW","task_id":{"value":"t"},"state":"TASK_LOST"}`, want: status()},
		"unknown required enum":       {in: `{"task_id":{"value":"t"},"state":"TASK_DREAMT"}`, err: "field 'state': unknown enum value"},
		"missing required":            {in: `{"task_id":{},"state":"TASK_LOST"}`, err: "Missing required fields: task_id.value"},
		"several missing":             {in: `{}`, err: "Missing required fields: task_id, state"},
		"last of two members wins":    {in: `{"task_id":{"value":"s"},"task_id":{"value":"t"},"state":"TASK_LOST"}`, want: status()},
		"number for a string":         {in: `{"task_id":{"value":7},"state":"TASK_LOST"}`, err: "field 'task_id.value': expected a string, found a number"},
		"list for an object":          {in: `{"task_id":[]}`, err: "field 'task_id': expected an object, found a list"},
		"not an object":               {in: `[]`, err: "expected an object, found a list"},
		"nothing":                     {in: ``, err: "found the end of the document"},
		"text after the end":          {in: `{"task_id":{"value":"t"},"state":"TASK_LOST"} x`, err: "text after the end"},
		"cut":                         {in: `{"task_id":{"value":"t`, err: "a string without an end"},
		"comma too many":              {in: `{"task_id":{"value":"t"},}`, err: "a member's name"},
		"escapes":                     {in: `{"task_id":{"value":"\u0074"},"state":"TASK\u005fLOST"}`, want: status()},
		"deep":                        {in: strings.Repeat(`{"container_status":`, 2) + strings.Repeat(`[`, 100), err: "nested deeper"},
		"64 bits as a string":         {in: `{"nanoseconds":"-5"}`, into: &mesos.DurationInfo{}, want: &mesos.DurationInfo{Nanoseconds: new(int64(-5))}},
		"fraction is cut off":         {in: `{"nanoseconds":5.9}`, into: &mesos.DurationInfo{}, want: &mesos.DurationInfo{Nanoseconds: new(int64(5))}},
		"exponent":                    {in: `{"nanoseconds":5e3}`, into: &mesos.DurationInfo{}, want: &mesos.DurationInfo{Nanoseconds: new(int64(5000))}},
		"too large":                   {in: `{"nanoseconds":9223372036854775808}`, into: &mesos.DurationInfo{}, err: "does not fit 64 bits"},
		"negative unsigned":           {in: `{"begin":-1,"end":1}`, into: &mesos.Value_Range{}, err: "field 'begin': the number -1 does not fit"},
		"blanks around the number":    {in: `{"nanoseconds":" -5\n"}`, into: &mesos.DurationInfo{}, want: &mesos.DurationInfo{Nanoseconds: new(int64(-5))}},
		"blanks alone":                {in: `{"nanoseconds":" "}`, into: &mesos.DurationInfo{}, err: `found the string ""`},
		"blanks around the boolean":   {in: `{"shell":" false "}`, into: &mesos.CommandInfo{}, want: &mesos.CommandInfo{Shell: new(false)}},
		"no number in the string":     {in: `{"nanoseconds":"5x"}`, into: &mesos.DurationInfo{}, err: `found the string "5x"`},
		"leading zero":                {in: `{"nanoseconds":05}`, into: &mesos.DurationInfo{}, err: "expected ',' or '}'"},
		"boolean as a string":         {in: `{"shell":"false"}`, into: &mesos.CommandInfo{}, want: &mesos.CommandInfo{Shell: new(false)}},
		"infinity":                    {in: `{"value":"Infinity"}`, into: &mesos.Value_Scalar{}, want: &mesos.Value_Scalar{Value: new(math.Inf(1))}},
		"bad base64":                  {in: `{"value":"*"}`, into: &mesos.UUID{}, err: "field 'value': not base64"},
		"base64 of another alphabet":  {in: `{"value":"-_8="}`, into: &mesos.UUID{}, err: "field 'value': not base64"},
		"base64 without padding":      {in: `{"value":"+/8"}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{0xfb, 0xff}}},
		"base64 of half the padding":  {in: `{"value":"+w="}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{0xfb}}},
		"base64 in two lines":         {in: `{"value":"+/\r\n 8="}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{0xfb, 0xff}}},
		"base64 behind its padding":   {in: `{"value":"+/8=*"}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{0xfb, 0xff}}},
		"base64 of six bits":          {in: `{"value":"AAAA+"}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{0, 0, 0}}},
		"base64 of nothing":           {in: `{"value":"="}`, into: &mesos.UUID{}, want: &mesos.UUID{Value: []byte{}}},
		"one element without a list":  {in: `{"labels":{"key":"k"}}`, into: &mesos.Labels{}, want: &mesos.Labels{Labels: []*mesos.Label{{Key: new("k")}}}},
		"null elements are passed by": {in: `{"labels":[null,{"key":"k"},null]}`, into: &mesos.Labels{}, want: &mesos.Labels{Labels: []*mesos.Label{{Key: new("k")}}}},
		"list of strings":             {in: `{"item":["a","b"]}`, into: &mesos.Value_Set{}, want: &mesos.Value_Set{Item: []string{"a", "b"}}},
		"missing in a list":           {in: `{"labels":[{"key":"k"},{}]}`, into: &mesos.Labels{}, err: "Missing required fields: labels[1].key"},
		"google duration":             {in: `{"agent_id":{"value":"a"},"max_grace_period":{"seconds":"3"}}`, into: &master.Call_DrainAgent{}, want: &master.Call_DrainAgent{AgentId: &mesos.AgentID{Value: new("a")}, MaxGracePeriod: durationpb.New(3e9)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.into
			if got == nil {
				got = &mesos.TaskStatus{}
			}
			err := Unmarshal(JSON, []byte(test.in), got)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNegotiate(t *testing.T) {
	tests := map[string]struct {
		accept, want string
		refused      bool
	}{
		"no header":                     {accept: "", want: JSON},
		"anything":                      {accept: "*/*", want: JSON},
		"protobuf":                      {accept: Protobuf, want: Protobuf},
		"JSON wins, whatever the order": {accept: Protobuf + ", " + JSON, want: JSON},
		"JSON wins, whatever the q":     {accept: JSON + ";q=0.1, " + Protobuf, want: JSON},
		"q of zero refuses":             {accept: JSON + ";q=0, */*", want: Protobuf},
		"q of zero with space":          {accept: JSON + "; q=0.0 , application/*", want: Protobuf},
		"other type":                    {accept: "text/html", refused: true},
		"all refused":                   {accept: "*/*;q=0", refused: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := Negotiate(test.accept, JSON, Protobuf)
			if got != test.want || ok == test.refused {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestUnsupportedContentType(t *testing.T) {
	if _, err := Marshal("text/plain", &mesos.Labels{}); err == nil {
		t.Error("text/plain was written")
	}
	if err := Unmarshal("application/json; charset=utf-8", []byte("{}"), &mesos.Labels{}); err == nil {
		t.Error("a content type with parameters was read")
	}
}

// What is written is JSON that others read (infinities aside).
func TestWrittenJSONIsValid(t *testing.T) {
	if b := AppendJSON(nil, sampleOffers()); !json.Valid(b) {
		t.Errorf("not JSON: %s", b)
	}
}
