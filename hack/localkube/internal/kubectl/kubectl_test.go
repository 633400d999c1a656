package kubectl

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kubectl")
	script := "#!/bin/sh\n[ \"$2\" = fail ] && { echo 'not found' >&2; exit 1; }\necho \"$@\"; cat\n"
	if err := os.WriteFile(binary, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	k := Kubectl{Binary: binary, Kubeconfig: "/k"}
	got, err := k.RunWith(t.Context(), "input", "get", "pod")
	if want := "--kubeconfig=/k get pod\ninput"; err != nil || got != want {
		t.Errorf("RunWith() = %q, %v; want %q", got, err, want)
	}
	if _, err := k.Run(t.Context(), "fail"); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("Run() = %v, want an error with kubectl's words", err)
	}
}

func TestEventually(t *testing.T) {
	notYet := errors.New("not yet")
	tests := map[string]struct {
		calls int // until f succeeds
		want  error
	}{
		"at once":  {1, nil},
		"at last":  {4, nil},
		"too late": {1000, notYet},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				err := Eventually(t.Context(), 10*time.Second, func(context.Context) error {
					if n++; n < tt.calls {
						return notYet
					}
					return nil
				})
				if !errors.Is(err, tt.want) {
					t.Errorf("Eventually() = %v, want %v", err, tt.want)
				}
			})
		})
	}
}
