package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// lazyTerm writes when its time has come.
type lazyTerm struct{ takes time.Duration }

func (l lazyTerm) Apply(ctx context.Context, ops []op.Operation) ([]op.Result, error) {
	select {
	case <-time.After(l.takes):
		return make([]op.Result, len(ops)), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnknownFate, ctx.Err())
	}
}

func TestWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := WithTimeout(lazyTerm{2 * time.Second}, 3*time.Second)
		if results, err := term.Apply(t.Context(), remove("a")); err != nil || len(results) != 1 {
			t.Errorf("a write in time: %v, %v", results, err)
		}
		_, err := WithTimeout(lazyTerm{4 * time.Second}, 3*time.Second).Apply(t.Context(), remove("a"))
		if !errors.Is(err, ErrUnknownFate) || !strings.Contains(err.Error(), "3s") {
			t.Errorf("a write too late: %v", err)
		}
	})
}
