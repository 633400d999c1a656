package httpapi

import (
	"bytes"
	"runtime"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
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

// breath is after how many records whoever encodes lets others run: what they
// take together is less than what a client would notice.
const breath = 32

// prepare makes a form of all records of a table that don't have it yet, on all
// cores.
func prepare[T any](t state.Table[T], f state.Form, encode encoder[T]) {
	var work sync.WaitGroup
	for _, piece := range t.Split(runtime.GOMAXPROCS(0)) {
		work.Go(func() {
			var scratch []byte
			made := 0
			for r, kept := range piece.Each() {
				kept.Get(f, func() []byte {
					if made++; made%breath == 0 {
						runtime.Gosched()
					}
					scratch = encode(scratch[:0], r)
					return bytes.Clone(scratch)
				})
			}
		})
	}
	work.Wait()
}

// appendTable appends a form of all records.
func appendTable[T any](b *body, t state.Table[T], f state.Form, encode encoder[T]) {
	prepare(t, f, encode)
	for r, kept := range t.Each() {
		b.keep(keep(kept, f, r, encode))
	}
}

// v0Task is a task as /state shows it.
var v0Task = element(appendTask)

// taskTables are all tasks.
func taskTables(v *state.View) []state.Table[mesos.Task] {
	return []state.Table[mesos.Task]{v.Tasks, v.UnreachableTasks, v.CompletedTasks}
}
