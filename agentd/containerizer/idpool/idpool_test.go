package idpool

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, ok := range map[string]bool{
		"[5000-10000]": true, "[1-1]": true, "[10-20,30-40]": true,
		"[0-10]": false, "[1-4294967296]": false, "": false, "[]": false, "5": false, "[5-": false, "{a,b}": false,
	} {
		if _, err := Parse(text, 1<<32-1); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOneHolder: whatever happens, a number has one holder at a time, and none is lost.
func TestOneHolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := Parse("[3-5,9-9]", 100)
		if err != nil {
			t.Fatal(err)
		}
		held := map[uint64]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "take") {
				n, err := p.Take()
				switch {
				case len(held) == 4:
					if !errors.Is(err, ErrExhausted) {
						t.Fatalf("took %d of none: %v", n, err)
					}
				case err != nil || held[n] || !p.Owns(n):
					t.Fatalf("took %d, %v; held are %v", n, err, held)
				default:
					held[n] = true
				}
				continue
			}
			n := rapid.Uint64Range(1, 12).Draw(t, "number")
			if rapid.Bool().Draw(t, "hold") && p.Owns(n) {
				p.Hold(n)
				held[n] = true
			} else {
				p.Release(n)
				delete(held, n)
			}
			if p.Free()+uint64(len(held)) != p.Total() {
				t.Fatalf("%d are free and %d held of %d", p.Free(), len(held), p.Total())
			}
		}
	})
}
