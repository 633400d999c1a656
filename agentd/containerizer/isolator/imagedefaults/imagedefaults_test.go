package imagedefaults

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// The table of Mesos's documentation, row by row: entry point and command of the image, and
// shell, value and arguments of the framework.
func TestMerge(t *testing.T) {
	images := []store.Defaults{
		{Type: mesos.Image_DOCKER},
		{Type: mesos.Image_DOCKER, Cmd: []string{"cmd", "c1"}},
		{Type: mesos.Image_DOCKER, Entrypoint: []string{"entry", "e1"}},
		{Type: mesos.Image_DOCKER, Entrypoint: []string{"entry", "e1"}, Cmd: []string{"cmd", "c1"}},
		{Type: mesos.Image_APPC, Entrypoint: []string{"exec", "x1"}},
	}
	fail := []string{"error"}
	theirs := [][]string{nil, nil, nil, nil, nil} // the framework's command stays as it is
	failed := [][]string{fail, fail, fail, fail, fail}
	tests := map[string]struct {
		command *mesos.CommandInfo
		want    [][]string
	}{
		"nothing": {&mesos.CommandInfo{Shell: new(false)},
			[][]string{fail, {"cmd", "c1"}, {"entry", "e1"}, {"entry", "e1", "cmd", "c1"}, {"exec", "x1"}}},
		"arguments": {&mesos.CommandInfo{Shell: new(false), Arguments: []string{"a"}},
			[][]string{fail, {"cmd", "a"}, {"entry", "e1", "a"}, {"entry", "e1", "a"}, {"exec", "a"}}},
		"value":               {&mesos.CommandInfo{Shell: new(false), Value: new("v")}, theirs},
		"value and arguments": {&mesos.CommandInfo{Shell: new(false), Value: new("v"), Arguments: []string{"a"}}, theirs},
		"empty shell":         {&mesos.CommandInfo{Shell: new(true)}, failed},
		"shell by default":    {&mesos.CommandInfo{Arguments: []string{"a"}}, failed},
		"shell":               {&mesos.CommandInfo{Shell: new(true), Value: new("v")}, theirs},
		"shell and arguments": {&mesos.CommandInfo{Value: new("v"), Arguments: []string{"a"}}, theirs},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, d := range images {
				got, err := Merge(tt.command, d)
				var args []string
				switch {
				case err != nil:
					args = fail
				case got != nil:
					args = got.GetArguments()
					if got.GetShell() || got.GetValue() != args[0] {
						t.Errorf("image %d: %v", i, got)
					}
				}
				if diff := cmp.Diff(tt.want[i], args); diff != "" {
					t.Errorf("image %d: %s", i, diff)
				}
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	theirs := &mesos.Environment{Variables: []*mesos.Environment_Variable{{Name: new("B"), Value: new("theirs")}}}
	have := []string{"A=agent", "B=theirs", "PATH=agent"}
	got := Environment(have, theirs, []string{"A=image", "B=image", "C=x=y", "odd", "PATH=image"})
	if diff := cmp.Diff([]string{"A=image", "B=theirs", "PATH=image", "C=x=y"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"A=agent", "B=theirs", "PATH=agent"}, have); diff != "" {
		t.Errorf("what was given changed: %s", diff)
	}
}
