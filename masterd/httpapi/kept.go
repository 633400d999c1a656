package httpapi

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

// batch is how many records are encoded in one turn of the lane, about a tenth of
// a millisecond. What is made of them shares an array: a few large ones burden
// the collector less than one for each record, and so few that little is left
// behind when some of the records change.
const batch = 16

// How the goroutine that encodes outside of the lane works: it sleeps for
// outsideRest after outsideStint. Sleeping, unlike yielding, makes Go's scheduler
// look at the network.
const (
	outsideStint = 500 * time.Microsecond
	outsideRest  = 20 * time.Microsecond
)

// pieces is how many pieces of a table there are for each who encodes, so that
// they are done at about the same time.
const pieces = 8

// prepare makes a form of all records of a table that don't have it yet, by as
// many goroutines as the lane has turns, one of which the caller has, and by one
// more: when most of them are missing, as in the first answer of a new leader,
// that one works on the processor that the lane leaves free.
func prepare[T any](l *lane.Lane, t state.Table[T], f state.Form, encode encoder[T]) {
	l.Leave()
	defer l.Enter()
	todo := t.Split((l.Turns() + 1) * pieces)
	var taken atomic.Int64
	encodePieces := func(next func() bool) {
		for i := taken.Add(1); i <= int64(len(todo)); i = taken.Add(1) {
			encodeMissing(todo[i-1], f, encode, next)
		}
	}
	var work sync.WaitGroup
	for range l.Turns() {
		work.Go(func() {
			l.Enter()
			defer l.Leave()
			encodePieces(func() bool { l.Pass(); return true })
		})
	}
	work.Go(func() {
		begin := time.Now()
		encodePieces(func() bool {
			if time.Since(begin) > outsideStint {
				time.Sleep(outsideRest)
				begin = time.Now()
			}
			return true
		})
	})
	work.Wait()
}

// encodeMissing makes a form of all records of a table that don't have it yet,
// and calls next after each batch, when others may have their turn. Once that
// returns false it is done, and returns false, too.
func encodeMissing[T any](t state.Table[T], f state.Form, encode encoder[T], next func() bool) bool {
	var m maker
	passed := 0
	for r, kept := range t.Each() {
		if passed++; passed%turn == 0 && !next() {
			return false
		}
		if kept.Has(f) {
			continue
		}
		m.text = encode(m.text, r)
		if m.add(kept); len(m.records) < batch {
			continue
		}
		if m.keep(f); !next() {
			return false
		}
	}
	m.keep(f)
	return true
}

// maker collects what is made of a batch of records.
type maker struct {
	text    []byte
	records []*state.Kept
	ends    []int
}

func (m *maker) add(k *state.Kept) {
	m.records = append(m.records, k)
	m.ends = append(m.ends, len(m.text))
}

func (m *maker) keep(f state.Form) {
	text, made, start := bytes.Clone(m.text), make([][]byte, len(m.records)), 0
	for i, k := range m.records {
		made[i] = text[start:m.ends[i]:m.ends[i]]
		k.Put(f, &made[i])
		start = m.ends[i]
	}
	m.text, m.records, m.ends = m.text[:0], m.records[:0], m.ends[:0]
}

// appendTable appends a form of all records.
func appendTable[T any](b *body, t state.Table[T], f state.Form, encode encoder[T]) {
	prepare(b.lane, t, f, encode)
	b.pieces = slices.Grow(b.pieces, t.Len())
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
