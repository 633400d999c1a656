package resources

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"cpus:4;mem:1024;ports:[31000-32000];cpus(web):1;set:{b,a}": "cpus:4; mem:1024; ports:[31000-32000]; cpus(reservations: [(STATIC,web)]):1; set:{a, b}",
		"":                              "{}",
		";;":                            "{}",
		" cpus : 1.5 ; mem : 2 ":        "cpus:1.5; mem:2",
		"cpus:1;cpus:2":                 "cpus:3",
		"cpus(*):1":                     "cpus:1",
		"cpus( web ):1":                 "cpus(reservations: [(STATIC,web)]):1",
		"cpus:0":                        "{}",
		"cpus:0.0005":                   "cpus:0.001",
		"gpus:0":                        "{}",
		"cpus:1e3":                      "cpus:1000",
		"ports:[1-2, 3-4,10-11]":        "ports:[1-4, 10-11]",
		"ports:[]":                      "{}",
		"ports:[7-8, 1-4, [8-10], 4-5]": "ports:[1-5, 7-10]",
		"ports:[4-6, 6-8, 5-9, 3-4, 2-5, 4-6, 1-1, 10-10, 4-6]":    "ports:[1-10]",
		"ports:[4-6, 7-7, 9-10,\n9-11]":                            "ports:[4-7, 9-11]",
		"set:{a,{b}}":                                              "set:{a, b}",
		"cpus:45.55;ports:[10000-20000, 30000-50000];disks:{sda1}": "cpus:45.55; ports:[10000-20000, 30000-50000]; disks:{sda1}",
		"disks:{sda1, sda2}":                                       "disks:{sda1, sda2}",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]`:   "cpus:1",
		` [ ] `: "{}",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a"}]`:                                             "cpus(reservations: [(STATIC,a)]):1",
		`[{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"PATH","path":{"root":"/d"}}}}]`: "disk[PATH:/d]:1",
	} {
		t.Run(text, func(t *testing.T) {
			r, err := Parse(text, "*")
			if err != nil || r.String() != want {
				t.Errorf("%s, %v; want %s", r, err, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"cpus":                  ErrSyntax,
		"cpus:1:2":              ErrSyntax,
		"cpus:":                 ErrSyntax,
		"cpus:abc":              ErrSyntax,
		"cpus:-1":               ErrSyntax,
		"cpus:nan":              ErrSyntax,
		"cpus:inf":              ErrSyntax,
		"cpus:0.00001":          ErrInvalid,
		"cpus:7.63918e-313":     ErrSyntax,
		"cpus:-7.63918e-313":    ErrSyntax,
		"cpus)(web:1":           ErrSyntax,
		"ports:[1-2]]":          ErrSyntax,
		"ports:[1-2b]":          ErrSyntax,
		"s:{a,b}}":              ErrSyntax,
		"s:{a,[b]}":             ErrSyntax,
		"s:  ":                  ErrSyntax,
		"foo(a):1;foo(b):[0-1]": ErrInvalid,
		`{"name":"s","type":"SET","set":{"item":["a"]}}`:                                                     ErrSyntax,
		`[{"name":"s","type":"SET","set":{"item":["a"]}} {"name":"t"}]`:                                      ErrSyntax,
		`[[{"name":"s","type":"SET","set":{"item":["a"]}}]]`:                                                 ErrSyntax,
		`[{"name":"s","type":"SET","set":{"item":["a"}}]`:                                                    ErrSyntax,
		`[{"name":"s","set":{"item":["a"]}}]`:                                                                ErrSyntax,
		`[{"name":"","type":"SET","set":{"item":["a"]}}]`:                                                    ErrInvalid,
		`[{"name":"s","type":"FLOATINGPOINT","set":{"item":["a"]}}]`:                                         ErrSyntax,
		`[{"name":"n","type":"SCALAR","scalar":{"value":-1}}]`:                                               ErrInvalid,
		`[{"name":"n","type":"SCALAR","scalar":{"value":1}},{"name":"n","type":"SET","set":{"item":["a"]}}]`: ErrInvalid,
		":1":                                ErrInvalid,
		"cpus(web:1":                        ErrSyntax,
		"cpus(/):1":                         ErrInvalid,
		"cpus():1":                          ErrInvalid,
		"ports:[1-2":                        ErrSyntax,
		"ports:1-2]":                        ErrSyntax,
		"ports:[1]":                         ErrSyntax,
		"ports:[2-1]":                       ErrInvalid,
		"ports:[-1-2]":                      ErrSyntax,
		"ports:[1-99999999999999999999]":    ErrSyntax,
		"s:{a,b":                            ErrSyntax,
		"s:{a,a}":                           ErrInvalid,
		"cpus:1;cpus:[1-2]":                 ErrInvalid,
		`[{"name":"cpus"}]`:                 ErrSyntax,
		`[{"name":"cpus","type":"SCALAR"}]`: ErrInvalid,
		`[{"type":"SCALAR","scalar":{"value":1}}]`:      ErrSyntax,
		`[{"name":"cpus","type":"SCALAR","scalar":{}}]`: ErrSyntax,
		`[`:    ErrSyntax,
		`[1]`:  ErrSyntax,
		`[] x`: ErrSyntax,
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}}]`:                                 ErrInvalid,
		`[{"name":"disk","type":"SCALAR","scalar":{"value":1},"role":"a","disk":{"persistence":{"id":"1"}}}]`:   ErrInvalid,
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"a"}]}]`: ErrInvalid,
	} {
		t.Run(text, func(t *testing.T) {
			if r, err := Parse(text, "*"); !errors.Is(err, want) {
				t.Errorf("%s, %v; want %v", r, err, want)
			}
		})
	}
}

func TestParseDefaultRole(t *testing.T) {
	for _, text := range []string{
		"cpus:1;mem(b):2;disk(*):3",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"mem","type":"SCALAR","scalar":{"value":2},"role":"b"},` +
			`{"name":"disk","type":"SCALAR","scalar":{"value":3},"role":"*"}]`,
	} {
		r, err := Parse(text, "a")
		if want := "cpus(reservations: [(STATIC,a)]):1; mem(reservations: [(STATIC,b)]):2; disk:3"; err != nil || r.String() != want {
			t.Errorf("%s: %s, %v", text, r, err)
		}
	}
}

func TestParseAttributes(t *testing.T) {
	got, err := ParseAttributes("rack:abc;zone: west 1;level:10;keys:[1000-1500,1501-1502];url:http://h:80\nlast:x")
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, a := range got {
		v := a.GetText().GetValue()
		switch a.GetType() {
		case mesos.Value_SCALAR:
			v = ScalarOf(a.GetScalar().GetValue()).String() + " (scalar)"
		case mesos.Value_RANGES:
			v = RangesFromProto(a.GetRanges()).String()
		}
		text = append(text, a.GetName()+"="+v)
	}
	want := []string{"rack=abc", "zone=west1", "level=10 (scalar)", "keys=[1000-1502]", "url=http://h:80", "last=x"}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"a", ":b", "a:", "a:{b}", "a:[1-2", "a:b[1]"} {
		if _, err := ParseAttributes(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	other, _ := ParseAttributes("last:x;url:http://h:80;keys:[1000-1502];level:10.0;zone:west1;rack:abc")
	if !EqualAttributes(got, other) || EqualAttributes(got, other[1:]) {
		t.Error("EqualAttributes is wrong")
	}
}

func TestStateJSON(t *testing.T) {
	r := MustParse("cpus:3.5;cpus(a):0.5;mem:4096;ports:[31000-31004,31007-32000];s:{a,b}").
		Add(Of(&mesos.Resource{
			Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(2.0)},
			Revocable: &mesos.Resource_RevocableInfo{},
		}))
	want := `{"cpus":4.0,"disk":0.0,"gpus":0.0,"mem":4096.0,"ports":"[31000-31004, 31007-32000]","s":"{a, b}","cpus_revocable":2.0}`
	if diff := cmp.Diff(want, string(r.AppendStateJSON(nil))); diff != "" {
		t.Error(diff)
	}
	want = `{"a":{"cpus":0.5,"disk":0.0,"gpus":0.0,"mem":0.0}}`
	if diff := cmp.Diff(want, string(AppendStateJSONByRole(nil, r.ByReservation()))); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"cpus:4;mem:1024;ports:[31000-32000];cpus(web):1;set:{a,b}", "ports:[1-18446744073709551615]", "cpus:1e-3",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, "*")
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrInvalid) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		again, err := New(r.Proto())
		if err != nil || !again.Equal(r) {
			t.Errorf("%q reads as %s, which reads back as %s, %v", text, r, again, err)
		}
		if !r.Subtract(r).IsEmpty() || !r.Contains(r) {
			t.Errorf("%s is not itself", r)
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add("rack:abc;level:10;keys:[1000-1500]")
	f.Fuzz(func(t *testing.T, text string) {
		as, err := ParseAttributes(text)
		if err == nil && !EqualAttributes(as, as) {
			t.Errorf("%q: attributes differ from themselves", text)
		}
	})
}

func TestParseQuantities(t *testing.T) {
	for text, want := range map[string]string{
		"cpus:1;mem:32; ports : 1": "cpus:1; mem:32; ports:1",
		"":                         "{}",
		"cpus:0.01;cpus:1":         "cpus:1.01",
		"cpus:0":                   "{}",
		"ports:3;cpus:1;cpus:10.5": "cpus:11.5; ports:3",
	} {
		if q, err := ParseQuantities(text); err != nil || q.String() != want {
			t.Errorf("%q: %s, %v", text, q, err)
		}
	}
	for _, text := range []string{"cpus", "cpus:", ":1", "cpus:-1", "cpus:x", "ports:[1-2]", "cpus:1e300",
		"cpus:3.14c", "ports:3,cpus:1", "cpus:nan", "cpus:-nan", "cpus:inf", "cpus:-inf", "cpus:infinity"} {
		if q, err := ParseQuantities(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %s, %v", text, q, err)
		}
	}
}
