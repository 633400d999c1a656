package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/agentd/oversubscription"
)

// asModule is a value of --modules as scripts for Mesos have it.
func asModule(name, parameters string) string {
	return `{"libraries": [{"file": "/usr/local/lib/mesos/modules/lib.so", "modules": [{"name": "` + name + `", "parameters": [` + parameters + `]}]}]}`
}

func TestOversubscriptionFlags(t *testing.T) {
	fixed, load := asModule(oversubscription.FixedName, `{"key": "resources", "value": "cpus:2;mem:128"}`),
		asModule(oversubscription.LoadName, `{"key": "load_threshold_5min", "value": "6"}, {"key": "load_threshold_15min", "value": "4.5"}`)
	dir := t.TempDir()
	for name, text := range map[string]string{"1.json": fixed, "2.json": load} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	estimator, controller := "--resource_estimator="+oversubscription.FixedName, "--qos_controller="+oversubscription.LoadName
	tests := map[string]struct {
		args  []string
		check func(engine.Oversubscription) bool
		fails string
	}{
		"nothing": {nil, func(o engine.Oversubscription) bool {
			return o.Estimator == nil && o.Controller == nil && o.EstimationInterval == 15*time.Second
		}, ""},
		"module without a use": {[]string{"--modules=" + fixed}, func(o engine.Oversubscription) bool { return o.Estimator == nil }, ""},
		"estimator": {[]string{estimator, "--modules=" + fixed, "--oversubscribed_resources_interval=2secs"}, func(o engine.Oversubscription) bool {
			got, err := o.Estimator.Oversubscribable(t.Context(), oversubscription.Usage{})
			return err == nil && o.EstimationInterval == 2*time.Second && got.Revocable().String() == got.String() && got.Scalar("cpus") == 2000
		}, ""},
		"controller": {[]string{controller, "--modules=" + load, "--qos_correction_interval_min=1secs"}, func(o engine.Oversubscription) bool {
			l := o.Controller.(oversubscription.Load)
			return *l.Five == 6 && *l.Fifteen == 4.5 && o.CorrectionInterval == time.Second
		}, ""},
		"a directory": {[]string{controller, estimator, "--modules_dir=" + dir}, func(o engine.Oversubscription) bool {
			return o.Estimator != nil && o.Controller != nil
		}, ""},
		"flag and directory":   {[]string{"--modules=" + fixed, "--modules_dir=" + dir}, nil, "only one"},
		"no directory":         {[]string{"--modules_dir=" + dir + "/none"}, nil, "no such file"},
		"another module":       {[]string{"--modules=" + asModule("com_example_Estimator", "")}, nil, "com_example_Estimator"},
		"not JSON":             {[]string{"--modules={"}, nil, "modules"},
		"another estimator":    {[]string{"--resource_estimator=com_example"}, nil, "only " + oversubscription.FixedName},
		"another controller":   {[]string{"--qos_controller=com_example"}, nil, "only " + oversubscription.LoadName},
		"nothing to lend":      {[]string{estimator}, nil, "resources"},
		"bad resources":        {[]string{estimator, "--modules=" + strings.Replace(fixed, "cpus:2", "cpus", 1)}, nil, "cpus"},
		"no threshold":         {[]string{controller}, nil, "load_threshold_5min"},
		"threshold of letters": {[]string{controller, "--modules=" + strings.Replace(load, `"6"`, `"six"`, 1)}, nil, "six"},
		"twice, otherwise": {[]string{"--modules=" + strings.Replace(fixed, `]}]}]}`,
			`]}, {"name": "`+oversubscription.FixedName+`"}]}]}`, 1)}, nil, "twice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFlags(append(tt.args, minimal...), nil)
			var got engine.Oversubscription
			if err == nil {
				got, err = f.oversub.open(f.modules, logr.Discard())
			}
			switch {
			case tt.fails != "":
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("%v, want one about %q", err, tt.fails)
				}
			case err != nil:
				t.Error(err)
			case !tt.check(got):
				t.Errorf("got %+v", got)
			}
		})
	}
	if five, fifteen, err := loadAverages(); err != nil || five < 0 || fifteen < 0 {
		t.Errorf("load averages %g %g, %v", five, fifteen, err)
	}
}
