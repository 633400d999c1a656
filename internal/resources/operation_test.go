package resources

import (
	"errors"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func operation(t *testing.T, text string) *mesos.Offer_Operation {
	t.Helper()
	op := &mesos.Offer_Operation{}
	if err := mesosjson.Unmarshal([]byte(text), op); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return op
}

func TestApply(t *testing.T) {
	const (
		cpus   = `{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]}`
		deeper = `{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"a","principal":"p"},{"type":"DYNAMIC","role":"a/b"}]}`
		old    = `{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a","reservation":{"principal":"p"}}`
		disk   = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"role":"a"}`
		vol    = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"role":"a","disk":{"persistence":{"id":"v"},"volume":{"container_path":"p","mode":"RW"}}}`
		share  = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"role":"a","shared":{},"disk":{"persistence":{"id":"v"},"volume":{"container_path":"p","mode":"RW"}}}`
		mount  = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}}`
		mvol   = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"disk":{"persistence":{"id":"v"},"volume":{"container_path":"p","mode":"RW"},"source":{"type":"MOUNT","mount":{"root":"/m"}}}}`
		pvol   = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"provider_id":{"value":"rp"},"disk":{"persistence":{"id":"v"}}}`
	)
	for name, tc := range map[string]struct {
		on, op, want string
		err          error
	}{
		"reserve":               {"[" + `{"name":"cpus","type":"SCALAR","scalar":{"value":3}}` + "]", `{"type":"RESERVE","reserve":{"resources":[` + cpus + `]}}`, "cpus:2; cpus(reservations: [(DYNAMIC,a,p)]):1", nil},
		"reserve, old form":     {"[" + `{"name":"cpus","type":"SCALAR","scalar":{"value":3}}` + "]", `{"type":"RESERVE","reserve":{"resources":[` + old + `]}}`, "cpus:2; cpus(reservations: [(DYNAMIC,a,p)]):1", nil},
		"refine":                {"[" + cpus + "]", `{"type":"RESERVE","reserve":{"resources":[` + deeper + `]}}`, "cpus(reservations: [(DYNAMIC,a,p), (DYNAMIC,a/b)]):1", nil},
		"re-reserve":            {"[" + disk + "]", `{"type":"RESERVE","reserve":{"source":[` + disk + `],"resources":[` + strings.Replace(disk, `"a"`, `"c"`, 1) + `]}}`, "disk(reservations: [(STATIC,c)]):10", nil},
		"reserve too much":      {"[]", `{"type":"RESERVE","reserve":{"resources":[` + cpus + `]}}`, "", ErrNotContained},
		"reserve nothing":       {"[]", `{"type":"RESERVE","reserve":{"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}}`, "", ErrInvalid},
		"reserve invalid":       {"[]", `{"type":"RESERVE","reserve":{"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]}}`, "", ErrInvalid},
		"unreserve":             {"[" + cpus + "]", `{"type":"UNRESERVE","unreserve":{"resources":[` + cpus + `]}}`, "cpus:1", nil},
		"unreserve a level":     {"[" + deeper + "]", `{"type":"UNRESERVE","unreserve":{"resources":[` + deeper + `]}}`, "cpus(reservations: [(DYNAMIC,a,p)]):1", nil},
		"unreserve other":       {"[" + cpus + "]", `{"type":"UNRESERVE","unreserve":{"resources":[` + deeper + `]}}`, "", ErrNotContained},
		"create":                {"[" + disk + "]", `{"type":"CREATE","create":{"volumes":[` + vol + `]}}`, "disk(reservations: [(STATIC,a)])[v:p]:10", nil},
		"create twice":          {"[" + disk + "]", `{"type":"CREATE","create":{"volumes":[` + vol + "," + vol + `]}}`, "", ErrNotContained},
		"create no volume":      {"[" + disk + "]", `{"type":"CREATE","create":{"volumes":[` + disk + `]}}`, "", ErrInvalid},
		"create of a mount":     {"[" + mount + "]", `{"type":"CREATE","create":{"volumes":[` + mvol + `]}}`, "disk[MOUNT:/m,v:p]:10", nil},
		"create shared":         {"[" + disk + "]", `{"type":"CREATE","create":{"volumes":[` + share + `]}}`, "disk(reservations: [(STATIC,a)])[v:p]<SHARED>:10", nil},
		"destroy":               {"[" + vol + "]", `{"type":"DESTROY","destroy":{"volumes":[` + vol + `]}}`, "disk(reservations: [(STATIC,a)]):10", nil},
		"destroy of a mount":    {"[" + mvol + "]", `{"type":"DESTROY","destroy":{"volumes":[` + mvol + `]}}`, "disk[MOUNT:/m]:10", nil},
		"destroy shared":        {"[" + share + "]", `{"type":"DESTROY","destroy":{"volumes":[` + share + `]}}`, "disk(reservations: [(STATIC,a)]):10", nil},
		"destroy, others there": {"[" + share + "," + share + "]", `{"type":"DESTROY","destroy":{"volumes":[` + share + `]}}`, "", ErrStillShared},
		"grow":                  {"[" + vol + "," + disk + "]", `{"type":"GROW_VOLUME","grow_volume":{"volume":` + vol + `,"addition":` + strings.Replace(disk, "10", "4", 1) + `}}`, "disk(reservations: [(STATIC,a)]):6; disk(reservations: [(STATIC,a)])[v:p]:14", nil},
		"grow too much":         {"[" + vol + "]", `{"type":"GROW_VOLUME","grow_volume":{"volume":` + vol + `,"addition":` + disk + `}}`, "", ErrNotContained},
		"grow of a provider":    {"[" + pvol + "]", `{"type":"GROW_VOLUME","grow_volume":{"volume":` + pvol + `,"addition":` + disk + `}}`, "", ErrNotConvertible},
		"shrink":                {"[" + vol + "," + disk + "]", `{"type":"SHRINK_VOLUME","shrink_volume":{"volume":` + vol + `,"subtract":{"value":4}}}`, "disk(reservations: [(STATIC,a)]):14; disk(reservations: [(STATIC,a)])[v:p]:6", nil},
		"shrink too much":       {"[" + vol + "]", `{"type":"SHRINK_VOLUME","shrink_volume":{"volume":` + vol + `,"subtract":{"value":11}}}`, "", ErrInvalid},
		"create disk":           {"[]", `{"type":"CREATE_DISK","create_disk":{"source":` + mount + `,"target_type":"MOUNT"}}`, "", ErrNotConvertible},
		"launch":                {"[]", `{"type":"LAUNCH","launch":{}}`, "", ErrNotConvertible},
		"missing part":          {"[]", `{"type":"SHRINK_VOLUME"}`, "", ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			rs, err := ParseProto(tc.on, "*")
			if err != nil {
				t.Fatal(err)
			}
			before := Of(rs...)
			got, err := before.Apply(operation(t, tc.op))
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err != nil {
				return
			}
			if got.String() != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if a, b := before.Quantities().String(), got.Quantities().String(); a != b {
				t.Errorf("quantities changed from %s to %s", a, b)
			}
		})
	}
}
