package typed

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// part is a message with required fields.
type part = descriptorpb.UninterpretedOption_NamePart

func TestSendAndHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, err := libprocess.NewNode(libprocess.Config{Address: libprocess.Address{Host: "10.0.0.1", Port: 5050}})
		if err != nil {
			t.Fatal(err)
		}
		defer node.Close()
		mux := NewMux()
		var got []string
		note := func(kind string) func(context.Context, libprocess.PID, *part) error {
			return func(_ context.Context, from libprocess.PID, m *part) error {
				got = append(got, kind+" "+m.GetNamePart()+" from "+from.ID)
				return nil
			}
		}
		Handle(mux, note("part"))
		HandleAs(mux, "OTHER", note("other"))
		receiver, err := node.Spawn("receiver", libprocess.HandlerFuncs{OnMessage: mux.Message})
		if err != nil {
			t.Fatal(err)
		}
		sender, err := node.Spawn("sender", libprocess.HandlerFuncs{})
		if err != nil {
			t.Fatal(err)
		}
		whole := &part{NamePart: proto.String("a"), IsExtension: proto.Bool(false)}
		if err := Send(sender, receiver.PID(), whole); err != nil {
			t.Fatal(err)
		}
		body, _ := proto.Marshal(whole)
		if err := sender.Send(receiver.PID(), "OTHER", body); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := []string{"part a from sender", "other a from sender"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := Send(sender, receiver.PID(), &part{NamePart: proto.String("b")}); err == nil {
			t.Error("a message without a required field was sent")
		}
	})
}

func TestWhatCannotBeHandled(t *testing.T) {
	mux := NewMux()
	Handle(mux, func(context.Context, libprocess.PID, *part) error {
		t.Error("called")
		return nil
	})
	name := NameOf(&part{})
	for what, tc := range map[string]struct {
		m    libprocess.Message
		want error
	}{
		"unknown name":     {libprocess.Message{Name: "mesos.internal.Unknown"}, ErrUnknown},
		"no protobuf":      {libprocess.Message{Name: name, Body: []byte{0xff}}, ErrMalformed},
		"missing required": {libprocess.Message{Name: name}, ErrMalformed},
	} {
		if err := mux.Message(t.Context(), tc.m); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", what, err, tc.want)
		}
	}
}

// TestTypeOfTomorrow: a value that is not known leaves its field unset.
func TestTypeOfTomorrow(t *testing.T) {
	body, err := proto.Marshal(&scheduler.Call{Type: scheduler.Call_Type(4711).Enum()})
	if err != nil {
		t.Fatal(err)
	}
	mux := NewMux()
	called := false
	Handle(mux, func(_ context.Context, _ libprocess.PID, m *scheduler.Call) error {
		if called = true; m.Type != nil {
			t.Errorf("the type is %v", *m.Type)
		}
		return nil
	})
	if err := mux.Message(t.Context(), libprocess.Message{Name: NameOf(&scheduler.Call{}), Body: body}); err != nil || !called {
		t.Errorf("called %v, %v", called, err)
	}
}

func TestTwoHandlersOfOneMessage(t *testing.T) {
	mux := NewMux()
	ignore := func(context.Context, libprocess.PID, *wrapperspb.StringValue) error { return nil }
	Handle(mux, ignore)
	if got := mux.Names(); !slices.Equal(got, []string{"google.protobuf.StringValue"}) {
		t.Errorf("names are %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("the second handler was accepted")
		}
	}()
	Handle(mux, ignore)
}
