package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGPUFlags: what --resources and --nvidia_gpu_devices make of the GPUs 0 to 3.
func TestGPUFlags(t *testing.T) {
	there := []uint{0, 1, 2, 3}
	tests := map[string]struct {
		resources string
		chosen    []uint
		want      []uint
		err       string
	}{
		"neither":               {want: there},
		"others":                {resources: "cpus:4", want: there},
		"none":                  {resources: "gpus:0"},
		"both":                  {resources: "gpus:2", chosen: []uint{3, 1}, want: []uint{3, 1}},
		"JSON":                  {resources: `[{"name":"gpus","type":"SCALAR","scalar":{"value":1}}]`, chosen: []uint{2}, want: []uint{2}},
		"only devices":          {chosen: []uint{1}, err: "needs gpus in --resources"},
		"only gpus":             {resources: "gpus:1", err: "need --nvidia_gpu_devices"},
		"a fraction":            {resources: "gpus:1.5", chosen: []uint{1}, err: "come whole, not as 1.5"},
		"different numbers":     {resources: "gpus:3", chosen: []uint{1, 2}, err: "--resources has 3 gpus, --nvidia_gpu_devices 2"},
		"none, but some chosen": {resources: "gpus:0", chosen: []uint{1}, err: "has gpus:0"},
		"not there":             {resources: "gpus:1", chosen: []uint{4}, err: "no such GPU: 4; there are [0 1 2 3]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := owned(tt.resources, "*", tt.chosen, there)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v, diff %s", err, diff)
			}
		})
	}
}

// TestGPUsAreDetected: with the isolator, the agent offers what CDI specifications tell of.
func TestGPUsAreDetected(t *testing.T) {
	dir := t.TempDir()
	const spec = `{"cdiVersion": "0.6.0", "kind": "vendor.example/gpu", "devices": [
{"name": "0", "containerEdits": {"env": ["A=1"]}}, {"name": "1", "containerEdits": {"env": ["A=1"]}}, {"name": "all", "containerEdits": {"env": ["A=1"]}}]}`
	if err := os.WriteFile(filepath.Join(dir, "vendor.json"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	const isolator = "--isolation=filesystem/linux,cgroups/devices,gpu/nvidia"
	tests := map[string]struct {
		args []string
		want string
		err  string
	}{
		"without the isolator":              {want: "0"},
		"with it":                           {args: []string{isolator}, want: "2"},
		"one of two":                        {args: []string{isolator, "--resources=gpus:1", "--nvidia_gpu_devices=1"}, want: "1"},
		"as told, without the isolator":     {args: []string{"--resources=gpus:7"}, want: "7"},
		"devices without the isolator":      {args: []string{"--nvidia_gpu_devices=1"}, err: "needs the isolator gpu/nvidia"},
		"a device twice":                    {args: []string{isolator, "--resources=gpus:2", "--nvidia_gpu_devices=1,1"}, err: "named twice"},
		"not a number":                      {args: []string{isolator, "--resources=gpus:1", "--nvidia_gpu_devices=GPU-1"}, err: "invalid syntax"},
		"no specification of GPUs there is": {args: []string{isolator}, err: "no device of the kind nvidia.com/gpu"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args := []string{"--work_dir=" + t.TempDir(), "--master=127.0.0.1:5050", "--cdi_spec_dirs=" + dir}
			if name != "no specification of GPUs there is" {
				args = append(args, "--gpu_cdi_kind=vendor.example/gpu")
			}
			f, err := ParseFlags(append(args, tt.args...), nil)
			if err != nil {
				t.Fatal(err)
			}
			has, err := f.offers()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if got := has.Scalar("gpus").String(); err != nil || got != tt.want {
				t.Errorf("gpus %s, want %s; error %v", got, tt.want, err)
			}
		})
	}
}
