package httpapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// forgetful is a View whose records are equal and have nothing kept beside them.
func forgetful(v *state.View) *state.View {
	fresh := *v
	task := func(t *mesos.Task) *mesos.Task { return proto.CloneOf(t) }
	fresh.Tasks = v.Tasks.Filter(task)
	fresh.UnreachableTasks = v.UnreachableTasks.Filter(task)
	fresh.CompletedTasks = v.CompletedTasks.Filter(task)
	fresh.Agents = v.Agents.Filter(copied[state.Agent])
	fresh.Executors = v.Executors.Filter(copied[state.Executor])
	fresh.Offers = v.Offers.Filter(copied[state.Offer])
	return &fresh
}

func copied[T any](r *T) *T {
	c := *r
	return &c
}

func composed(f composer, v *state.View, query asked) []byte {
	b := &body{}
	f(b, v, query)
	b.seal()
	return b.bytes()
}

// What is put together from kept pieces is what would be written anew, to the
// byte, in every form; and the two forms of a v1 answer say the same.
func TestKeptAnswersAreTheSame(t *testing.T) {
	a := &API{cfg: Config{Cluster: "c"}, flags: []byte(`{"a":"b"}`)}
	v := viewOf(t, 3)
	for name, f := range map[string]composer{
		"state": a.composeState, "state-summary": a.composeSummary, "slaves": composeSlaves,
		"frameworks": composeFrameworks, "tasks": composeTasks,
	} {
		t.Run(name, func(t *testing.T) {
			first := composed(f, v, asked{})
			for range 2 {
				if diff := cmp.Diff(string(first), string(composed(f, v, asked{}))); diff != "" {
					t.Fatalf("the second time (-first +second):\n%s", diff)
				}
			}
			if diff := cmp.Diff(string(composed(f, forgetful(v), asked{})), string(first)); diff != "" {
				t.Errorf("kept (-anew +kept):\n%s", diff)
			}
		})
	}
	for call, how := range readings {
		if how.part == nil {
			continue
		}
		t.Run(call.String(), func(t *testing.T) {
			forms := map[string]*mesosmaster.Response{}
			for _, contentType := range []string{codec.JSON, codec.Protobuf} {
				_ = response(&body{}, call, contentType, how.part(v, visible{}))
				kept := response(&body{}, call, contentType, how.part(v, visible{})).bytes()
				anew := response(&body{}, call, contentType, how.part(forgetful(v), visible{})).bytes()
				if !bytes.Equal(kept, anew) {
					t.Errorf("%s: kept and new differ", contentType)
				}
				forms[contentType] = &mesosmaster.Response{}
				if err := codec.Unmarshal(contentType, kept, forms[contentType]); err != nil {
					t.Fatalf("%s: %v", contentType, err)
				}
			}
			if diff := cmp.Diff(throughJSON(t, forms[codec.Protobuf]), forms[codec.JSON], protocmp.Transform()); diff != "" {
				t.Errorf("the forms differ (-protobuf +JSON):\n%s", diff)
			}
			if len(forms[codec.JSON].GetType().String()) == 0 || forms[codec.JSON].GetType().String() != call.String() {
				t.Errorf("the type is %v", forms[codec.JSON].GetType())
			}
		})
	}
}

// throughJSON fills in the defaults that JSON tells and protobuf doesn't.
func throughJSON(t *testing.T, r *mesosmaster.Response) *mesosmaster.Response {
	t.Helper()
	text, err := codec.Marshal(codec.JSON, r)
	out := &mesosmaster.Response{}
	if err == nil {
		err = codec.Unmarshal(codec.JSON, text, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A body is what was written to it, however it is cut into pieces.
func TestBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &body{}
		var want []byte
		list := func() {
			b.open('[')
			n := rapid.IntRange(0, 20).Draw(t, "elements")
			for i := range n {
				text := rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "element")
				if rapid.Bool().Draw(t, "kept") {
					b.keep([]byte("," + text))
				} else {
					b.write(func(out []byte) []byte { return append(append(out, ','), text...) })
				}
				want = append(want, ',')
				if i == 0 {
					want[len(want)-1] = '['
				}
				want = append(want, text...)
			}
			if n == 0 {
				want = append(want, '[')
			}
			b.close(']')
			want = append(want, ']')
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "lists") {
			if i > 0 {
				b.write(func(out []byte) []byte { return append(out, ':') })
				want = append(want, ':')
			}
			list()
		}
		b.seal()
		var streamed bytes.Buffer
		n, err := io.Copy(&streamed, b.reader())
		if err != nil || int(n) != b.size || !bytes.Equal(streamed.Bytes(), want) || !bytes.Equal(b.bytes(), want) {
			t.Fatalf("%d bytes of %d, %v: %s, want %s", n, b.size, err, streamed.Bytes(), want)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(b.compressed()))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(unpacked); err != nil || !bytes.Equal(text, want) {
			t.Fatalf("compressed: %v %s", err, text)
		}
	})
}
