package httpapi

import (
	"strconv"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// writer builds the JSON of v0 endpoints, whose shapes are no messages. Objects
// and lists are written by a function between begin and end.
type writer struct {
	b []byte
	// roles says which roles' reservations are written.
	roles acl.Approver
}

// next separates a value from the one before it.
func (w *writer) next() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' && w.b[n-1] != ':' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) key(name string) {
	w.next()
	w.b = append(mesosjson.AppendString(w.b, name), ':')
}

func (w *writer) string(name, v string) {
	w.key(name)
	w.b = mesosjson.AppendString(w.b, v)
}

func (w *writer) double(name string, v float64) {
	w.key(name)
	w.b = mesosjson.AppendDouble(w.b, v)
}

func (w *writer) int(name string, v int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) bool(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

// message writes a message as Mesos writes all messages.
func (w *writer) message(name string, m mesosjson.Message) {
	w.key(name)
	w.b = m.AppendMesosJSON(w.b)
}

func (w *writer) object(name string, f func()) {
	w.key(name)
	w.element(f)
}

// element writes an object into a list.
func (w *writer) element(f func()) {
	w.next()
	w.b = append(w.b, '{')
	f()
	w.b = append(w.b, '}')
}

func (w *writer) elementMessage(m mesosjson.Message) {
	w.next()
	w.b = m.AppendMesosJSON(w.b)
}

func (w *writer) elementString(s string) {
	w.next()
	w.b = mesosjson.AppendString(w.b, s)
}

func (w *writer) list(name string, f func()) {
	w.key(name)
	w.b = append(w.b, '[')
	f()
	w.b = append(w.b, ']')
}

// messageList writes a list of messages.
func messageList[M mesosjson.Message](w *writer, name string, ms []M) {
	w.list(name, func() {
		for _, m := range ms {
			w.elementMessage(m)
		}
	})
}
