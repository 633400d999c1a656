package httpapi

import (
	"bytes"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// encoder appends one form of a record, as an element of a list.
type encoder[T any] func(b []byte, r *T) []byte

// element makes an encoder of a function that appends JSON.
func element[T any](appendJSON func([]byte, *T) []byte) encoder[T] {
	return func(b []byte, r *T) []byte { return appendJSON(append(b, ','), r) }
}

// field is an encoder of elements of a repeated field.
func field[T any](number protowire.Number, message func(*T) proto.Message) encoder[T] {
	return func(b []byte, r *T) []byte { return appendField(b, number, message(r)) }
}

// appendField appends a message as a field of another one. What is in the state
// has been checked before.
func appendField(b []byte, number protowire.Number, m proto.Message) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(proto.Size(m)))
	b, err := proto.MarshalOptions{AllowPartial: true, UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		panic("httpapi: encoding a record: " + err.Error()) // its strings are checked on their way in
	}
	return b
}

// keep returns a form of a record, which is made if it isn't kept yet.
func keep[T any](k *state.Kept, f state.Form, r *T, encode encoder[T]) []byte {
	return k.Get(f, func() []byte { return encode(nil, r) })
}

// breath is how many records are encoded in one turn of the lane.
const breath = 32

// prepare makes a form of all records of a table that don't have it yet, by as
// many goroutines as the lane has turns. The caller has one of these.
func prepare[T any](l *lane.Lane, t state.Table[T], f state.Form, encode encoder[T]) {
	l.Leave()
	defer l.Enter()
	var work sync.WaitGroup
	for _, piece := range t.Split(l.Turns()) {
		work.Go(func() { encodeMissing(l, piece, f, encode) })
	}
	work.Wait()
}

func encodeMissing[T any](l *lane.Lane, t state.Table[T], f state.Form, encode encoder[T]) {
	l.Enter()
	defer l.Leave()
	var scratch []byte
	made, passed := 0, 0
	for r, kept := range t.Each() {
		if passed++; passed%turn == 0 {
			l.Pass()
		}
		kept.Get(f, func() []byte {
			if made++; made%breath == 0 {
				l.Pass()
			}
			scratch = encode(scratch[:0], r)
			return bytes.Clone(scratch)
		})
	}
}

// appendTable appends a form of all records.
func appendTable[T any](b *body, t state.Table[T], f state.Form, encode encoder[T]) {
	prepare(b.lane, t, f, encode)
	for r, kept := range t.Each() {
		b.keep(keep(kept, f, r, encode))
		b.step()
	}
}

// v0Task is a task as /state shows it.
var v0Task = element(appendTask)

// taskTables are all tasks.
func taskTables(v *state.View) []state.Table[mesos.Task] {
	return []state.Table[mesos.Task]{v.Tasks, v.UnreachableTasks, v.CompletedTasks}
}
