package paths

import (
	"errors"
	"path"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	tests := map[string]struct{ got, want string }{
		"sandbox": {
			Run("/w", "a-S0", "a-0000", "exec", "c1"),
			"/w/slaves/a-S0/frameworks/a-0000/executors/exec/runs/c1",
		},
		"task checkpoints": {
			Task(Meta("/w"), "a-S0", "a-0000", "exec", "c1", "t"),
			"/w/meta/slaves/a-S0/frameworks/a-0000/executors/exec/runs/c1/tasks/t",
		},
		"agent":                {Agent("/w", "a-S0"), "/w/slaves/a-S0"},
		"latest agent":         {Agent(Meta("/w"), Latest), "/w/meta/slaves/latest"},
		"framework":            {Framework("/w", "a-S0", "a-0000"), "/w/slaves/a-S0/frameworks/a-0000"},
		"executor":             {Executor("/w", "a-S0", "a-0000", "exec"), "/w/slaves/a-S0/frameworks/a-0000/executors/exec"},
		"standalone sandboxes": {Containers("/w"), "/w/containers"},
		"virtual":              {Virtual("a-0000", "exec"), "/frameworks/a-0000/executors/exec/runs/latest"},
		"hierarchical role":    {Volume("/w", "prod/web", "v1"), "/w/volumes/roles/prod web/v1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

func FuzzCheckID(f *testing.F) {
	for _, id := range []string{"task-1", "", ".", "..", "a/b", "a\x00b", "ünï", strings.Repeat("x", 256)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if err := CheckID(id); err != nil {
			if !errors.Is(err, ErrBadID) {
				t.Errorf("%v is not ErrBadID", err)
			}
			return
		}
		if dir := path.Join("/root", id); path.Dir(dir) != "/root" {
			t.Errorf("%q leaves its directory: %s", id, dir)
		}
	})
}
