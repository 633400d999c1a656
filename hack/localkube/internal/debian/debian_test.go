package debian

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotInstalled(t *testing.T) {
	status := "runc installed\ncontainerd config-files\nkmod half-installed\n"
	got := notInstalled([]string{"runc", "containerd", "kmod", "iptables"}, status)
	// Removed, broken and unknown packages are all to be installed.
	if d := cmp.Diff([]string{"containerd", "kmod", "iptables"}, got); d != "" {
		t.Errorf("notInstalled (-want +got):\n%s", d)
	}
}

func TestTail(t *testing.T) {
	if got := tail("a\nb\nc\n\n", 2); got != "b\nc" {
		t.Errorf("tail() = %q", got)
	}
}
