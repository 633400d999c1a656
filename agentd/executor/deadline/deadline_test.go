package deadline

import (
	"testing"
	"time"
)

func TestNever(t *testing.T) {
	var never time.Time
	soon := time.Unix(100, 0)
	late := soon.Add(time.Second)
	for _, tt := range []struct{ a, b, want time.Time }{
		{never, never, never}, {never, soon, soon}, {soon, never, soon}, {soon, late, soon}, {late, soon, soon},
	} {
		if got := Earlier(tt.a, tt.b); !got.Equal(tt.want) {
			t.Errorf("Earlier(%v, %v) = %v", tt.a, tt.b, got)
		}
	}
	if Due(never, late) || Due(late, soon) || !Due(soon, soon) || !Due(soon, late) {
		t.Error("a moment is due from then on, and never if there is none")
	}
}
