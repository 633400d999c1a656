package httpapi

import (
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
)

// The functions below append JSON members, each with a comma before it, as
// mesosjson.CloseObject and CloseList want them:
//
//	start := len(b)
//	b = stringMember(b, "id", id)
//	b = mesosjson.CloseObject(b, start)

// key begins a member; its value is to be appended. Keys are constants of this
// package that need no escaping.
func key(b []byte, name string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func stringMember(b []byte, name, value string) []byte {
	return mesosjson.AppendString(key(b, name), value)
}

func boolMember(b []byte, name string, value bool) []byte {
	return mesosjson.AppendBool(key(b, name), value)
}

func intMember(b []byte, name string, value int) []byte {
	return mesosjson.AppendInt(key(b, name), int64(value))
}

func doubleMember(b []byte, name string, value float64) []byte {
	return mesosjson.AppendDouble(key(b, name), value)
}

// timeMember writes seconds since 1970, and 0.0 for the zero time.
func timeMember(b []byte, name string, t time.Time) []byte {
	return doubleMember(b, name, seconds(t))
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// messageMember writes a message as Mesos JSON.
func messageMember(b []byte, name string, m mesosjson.Message) []byte {
	return m.AppendMesosJSON(key(b, name))
}

// listMember writes a list, also when it is empty.
func listMember[T any](b []byte, name string, items []T, appendItem func([]byte, T) []byte) []byte {
	b = key(b, name)
	start := len(b)
	for _, item := range items {
		b = appendItem(append(b, ','), item)
	}
	return mesosjson.CloseList(b, start)
}

func appendMessage[M mesosjson.Message](b []byte, m M) []byte { return m.AppendMesosJSON(b) }
