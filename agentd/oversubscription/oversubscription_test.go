package oversubscription

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// lent are revocable resources.
func lent(t testing.TB, text string) resources.Resources {
	t.Helper()
	list, err := resources.ParseProto(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		r.Revocable = &mesos.Resource_RevocableInfo{}
	}
	return resources.Of(list...)
}

func TestFixed(t *testing.T) {
	tests := map[string]struct {
		lend      string
		allocated []resources.Resources
		want      string
	}{
		"nothing runs": {"cpus:4;mem:512", nil, "cpus:4;mem:512"},
		"revocable executors": {"cpus:4", []resources.Resources{
			lent(t, "cpus:1").Allocate("dev"), lent(t, "cpus:0.5").Allocate("ops").Add(resources.MustParse("mem:64").Allocate("ops")),
		}, "cpus:2.5"},
		"the agent's own resources don't count": {"cpus:2", []resources.Resources{resources.MustParse("cpus:2").Allocate("dev")}, "cpus:2"},
		"all is lent":                           {"cpus:1", []resources.Resources{lent(t, "cpus:1").Allocate("dev")}, ""},
		"more is lent than ought to be":         {"cpus:1", []resources.Resources{lent(t, "cpus:2").Allocate("dev")}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := NewFixed(tt.lend)
			if err != nil {
				t.Fatal(err)
			}
			var u Usage
			for _, r := range tt.allocated {
				u.Executors = append(u.Executors, Executor{Allocated: r})
			}
			got, err := f.Oversubscribable(t.Context(), u)
			if err != nil || !got.Equal(lent(t, tt.want)) {
				t.Errorf("%v, %v; want %v", got, err, lent(t, tt.want))
			}
		})
	}
	for _, bad := range []string{"", "cpus:-1", "cpus", "[{]"} {
		if f, err := NewFixed(bad); err == nil {
			t.Errorf("NewFixed(%q) = %v", bad, f)
		}
	}
}

func TestLoad(t *testing.T) {
	u := Usage{Executors: []Executor{
		{Framework: "f1", ID: "lent", Container: "c1", Allocated: lent(t, "cpus:1").Allocate("dev").Add(resources.MustParse("mem:32").Allocate("dev"))},
		{Framework: "f1", ID: "own", Container: "c2", Allocated: resources.MustParse("cpus:1").Allocate("dev")},
	}}
	all := []Kill{{Framework: "f1", Executor: "lent", Container: "c1"}}
	broken := errors.New("no load")
	tests := map[string]struct {
		five, fifteen *float64
		load          [2]float64
		err           error
		want          []Kill
	}{
		"below both":          {new(7.0), new(15.0), [2]float64{6.9, 14.9}, nil, nil},
		"at the threshold":    {new(7.0), nil, [2]float64{7, 100}, nil, nil},
		"over five minutes":   {new(7.0), new(15.0), [2]float64{7.1, 0}, nil, all},
		"over a quarter":      {new(7.0), new(15.0), [2]float64{0, 15.1}, nil, all},
		"only a quarter":      {nil, new(15.0), [2]float64{100, 15.1}, nil, all},
		"load can't be read":  {new(0.0), nil, [2]float64{100, 100}, broken, nil},
		"threshold of nought": {new(0.0), nil, [2]float64{0.01, 0}, nil, all},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := Load{Five: tt.five, Fifteen: tt.fifteen, Averages: func() (float64, float64, error) {
				return tt.load[0], tt.load[1], tt.err
			}}
			if err := l.Validate(); err != nil {
				t.Fatal(err)
			}
			got, err := l.Corrections(t.Context(), u)
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := (Load{}).Validate(); err == nil {
		t.Error("a controller without thresholds is accepted")
	}
}
