package resources

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func fromJSON(t testing.TB, text string) *mesos.Resource {
	t.Helper()
	r := &mesos.Resource{}
	if err := mesosjson.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestValidate(t *testing.T) {
	const cpus = `{"name":"cpus","type":"SCALAR","scalar":{"value":1}`
	const disk = `{"name":"disk","type":"SCALAR","scalar":{"value":1}`
	for text, valid := range map[string]bool{
		cpus + `}`: true,
		`{"name":"","type":"SCALAR","scalar":{"value":1}}`:                                                          false,
		`{"name":"cpus","type":"SCALAR","scalar":{"value":0}}`:                                                      true,
		`{"name":"cpus","type":"SCALAR","scalar":{"value":0.0005}}`:                                                 true,
		`{"name":"cpus","type":"SCALAR","scalar":{"value":0.0004}}`:                                                 false,
		`{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}`:                                                     false,
		`{"name":"cpus","type":"SCALAR","ranges":{}}`:                                                               false,
		`{"name":"cpus","type":"SCALAR"}`:                                                                           false,
		cpus + `,"set":{"item":["a"]}}`:                                                                             false,
		`{"name":"cpus","type":"TEXT"}`:                                                                             false,
		`{"name":"cpus","type":"SCALAR","scalar":{"value":1e16}}`:                                                   false,
		`{"name":"p","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}`:                                     true,
		`{"name":"p","type":"RANGES","ranges":{"range":[{"begin":3,"end":2}]}}`:                                     false,
		`{"name":"p","type":"RANGES","ranges":{"range":[{"begin":4,"end":6},{"begin":1,"end":4}]}}`:                 false,
		`{"name":"p","type":"RANGES","ranges":{"range":[{"begin":4,"end":6},{"begin":1,"end":3}]}}`:                 true,
		`{"name":"s","type":"SET","set":{"item":["a","b"]}}`:                                                        true,
		`{"name":"s","type":"SET","set":{"item":["a","b","a"]}}`:                                                    false,
		cpus + `,"disk":{"persistence":{"id":"1"}}}`:                                                                false,
		disk + `,"disk":{"persistence":{"id":"1"}}}`:                                                                true,
		disk + `,"disk":{"source":{"type":"UNKNOWN"}}}`:                                                             false,
		disk + `,"disk":{"source":{"type":"MOUNT"}}}`:                                                               true,
		disk + `,"disk":{"source":{"type":"RAW","mount":{"root":"/"}}}}`:                                            false,
		disk + `,"disk":{"source":{"type":"BLOCK","path":{"root":"/"}}}}`:                                           false,
		disk + `,"shared":{}}`:                                                                                      false,
		cpus + `,"shared":{}}`:                                                                                      false,
		disk + `,"disk":{"persistence":{"id":"1"}},"shared":{}}`:                                                    true,
		cpus + `,"role":"web"}`:                                                                                     true,
		cpus + `,"role":"/web"}`:                                                                                    false,
		cpus + `,"role":"*","reservation":{}}`:                                                                      false,
		cpus + `,"role":"web","reservation":{"principal":"p"}}`:                                                     true,
		cpus + `,"role":"web","reservation":{"role":"web"}}`:                                                        false,
		cpus + `,"role":"web","reservation":{"type":"DYNAMIC"}}`:                                                    false,
		cpus + `,"reservations":[{"role":"web"}]}`:                                                                  false,
		cpus + `,"reservations":[{"type":"DYNAMIC"}]}`:                                                              false,
		cpus + `,"reservations":[{"type":"UNKNOWN","role":"web"}]}`:                                                 false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"*"}]}`:                                                   false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"web/"}]}`:                                                false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"web"}]}`:                                                 true,
		cpus + `,"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]}`:                    true,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"},{"type":"STATIC","role":"a/b"}]}`:                    false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"},{"type":"DYNAMIC","role":"b"}]}`:                     false,
		cpus + `,"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}],"role":"a/b"}`:       false,
		cpus + `,"reservations":[{"type":"STATIC","role":"a"}],"role":"a"}`:                                         true,
		cpus + `,"reservations":[{"type":"STATIC","role":"a"}],"role":"b"}`:                                         false,
		cpus + `,"reservations":[{"type":"STATIC","role":"a"}],"role":"a","reservation":{}}`:                        false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"}],"role":"a"}`:                                        false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"}],"role":"a","reservation":{}}`:                       true,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"}],"role":"a","reservation":{"principal":"p"}}`:        false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a"}],"role":"a","reservation":{"labels":{"labels":[]}}}`: false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}],"role":"a","reservation":{}}`:       false,
		cpus + `,"reservations":[{"type":"DYNAMIC","role":"a","labels":{"labels":[{"key":"k"},{"key":"l"}]}}],"role":"a",` +
			`"reservation":{"labels":{"labels":[{"key":"l"},{"key":"k"}]}}}`: true,
	} {
		t.Run(text, func(t *testing.T) {
			err := Validate(fromJSON(t, text))
			if valid && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !valid && !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
		})
	}
	if err := Validate(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("nil: %v", err)
	}
}

func TestOfLeavesOutInvalid(t *testing.T) {
	r := Of(fromJSON(t, `{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}`),
		fromJSON(t, `{"name":"mem","type":"SCALAR","scalar":{"value":5}}`),
		fromJSON(t, `{"name":"disk","type":"SCALAR","scalar":{"value":0}}`))
	if got := r.String(); got != "mem:5" {
		t.Errorf("kept %s", got)
	}
	if _, err := New([]*mesos.Resource{fromJSON(t, `{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}`)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("New: %v", err)
	}
}

func TestForms(t *testing.T) {
	const c = `{"name":"cpus","type":"SCALAR","scalar":{"value":1}`
	for name, tc := range map[string]struct{ in, post, pre, endpoint string }{
		"unreserved": {c + `,"role":"*"}`, c + `}`, c + `,"role":"*"}`, c + `,"role":"*"}`},
		"static": {
			c + `,"role":"a"}`, c + `,"reservations":[{"role":"a","type":"STATIC"}]}`, c + `,"role":"a"}`,
			c + `,"role":"a","reservations":[{"role":"a","type":"STATIC"}]}`,
		},
		"dynamic": {
			c + `,"role":"a","reservation":{"principal":"p"}}`,
			c + `,"reservations":[{"role":"a","type":"DYNAMIC","principal":"p"}]}`,
			c + `,"role":"a","reservation":{"principal":"p"}}`,
			c + `,"role":"a","reservation":{"principal":"p"},"reservations":[{"role":"a","type":"DYNAMIC","principal":"p"}]}`,
		},
		"refined": {
			c + `,"reservations":[{"role":"a","type":"STATIC"},{"role":"a/b","type":"DYNAMIC"}]}`,
			c + `,"reservations":[{"role":"a","type":"STATIC"},{"role":"a/b","type":"DYNAMIC"}]}`, "",
			c + `,"reservations":[{"role":"a","type":"STATIC"},{"role":"a/b","type":"DYNAMIC"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			equal := func(what string, got *mesos.Resource, want string) {
				t.Helper()
				if !proto.Equal(got, fromJSON(t, want)) {
					t.Errorf("%s: %v, want %s", what, got, want)
				}
			}
			post := []*mesos.Resource{fromJSON(t, tc.in)}
			Upgrade(post)
			equal("upgraded", post[0], tc.post)
			equal("for endpoints", Endpoint(post)[0], tc.endpoint)
			again := Endpoint(post)
			Upgrade(again)
			equal("back from endpoints", again[0], tc.post)
			pre, err := Downgrade(post)
			if tc.pre == "" {
				if !errors.Is(err, ErrRefined) {
					t.Errorf("downgrading: %v", err)
				}
				return
			}
			equal("downgraded", pre[0], tc.pre)
			equal("untouched", post[0], tc.post)
			if a, b := Of(fromJSON(t, tc.in)), Of(post...); !a.Equal(b) {
				t.Errorf("forms differ: %s, %s", a, b)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	const c = `{"name":"cpus","type":"SCALAR","scalar":{"value":1}`
	task := func() *mesos.Offer_Operation {
		m := &mesos.Offer_Operation{}
		text := `{"type":"LAUNCH","launch":{"task_infos":[{"name":"t","task_id":{"value":"1"},"agent_id":{"value":"s"},` +
			`"resources":[` + c + `,"role":"a"}],"executor":{"executor_id":{"value":"e"},"resources":[` + c + `,"role":"*"}]}}]}}`
		if err := mesosjson.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := task()
	if err := ValidateMessage(m); err != nil {
		t.Fatal(err)
	}
	UpgradeMessage(m)
	info := m.GetLaunch().GetTaskInfos()[0]
	if r := info.GetResources()[0]; r.Role != nil || r.GetReservations()[0].GetRole() != "a" {
		t.Errorf("task: %v", r)
	}
	if r := info.GetExecutor().GetResources()[0]; r.Role != nil {
		t.Errorf("executor: %v", r)
	}
	if err := DowngradeMessage(m); err != nil || !proto.Equal(m, task()) {
		t.Errorf("downgraded: %v, %v", m, err)
	}
	UpgradeMessage(m)
	info.Resources[0].Reservations = append(info.Resources[0].Reservations,
		&mesos.Resource_ReservationInfo{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("a/b")})
	if err := DowngradeMessage(m); !errors.Is(err, ErrRefined) {
		t.Errorf("refined: %v", err)
	}
	info.Executor.Resources[0].Scalar.Value = new(-1.0)
	if err := ValidateMessage(m); !errors.Is(err, ErrInvalid) {
		t.Errorf("invalid: %v", err)
	}
}
