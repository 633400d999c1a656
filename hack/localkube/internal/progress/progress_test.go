package progress

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStepTellsWhatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		l := New(&b)
		err := l.Step(t.Context(), "building", func(_ context.Context, say func(string)) error {
			time.Sleep(Every + time.Second)
			say("7 packages")
			time.Sleep(Every)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "[    5.0s]   building: running (5s)\n[   10.0s]   building: 7 packages (10s)\n[   11.0s] building: done in 11.0s\n"
		if got := b.String(); got != want {
			t.Errorf("lines:\n got %q\nwant %q", got, want)
		}
	})
}

func TestStepNamesTheFailure(t *testing.T) {
	cause := errors.New("no space left")
	err := New(&strings.Builder{}).Step(t.Context(), "building", func(context.Context, func(string)) error { return cause })
	if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "building: ") {
		t.Errorf("Step() = %v, want the cause under the step's name", err)
	}
}
