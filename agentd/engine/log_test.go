package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogKeys(t *testing.T) {
	given := []any{"framework", "f", "task", "t", "executor", "e", "container", "c", "agent", "a", "status", 1, "odd"}
	want := []any{"framework_id", "f", "task_id", "t", "executor_id", "e", "container_id", "c", "agent_id", "a", "status", 1, "odd"}
	if diff := cmp.Diff(want, withIDKeys(given)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if given[0] != "framework" {
		t.Error("the machine's own list was changed")
	}
}
