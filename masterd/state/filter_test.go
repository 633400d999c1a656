package state

import (
	"slices"
	"testing"
)

func TestFilter(t *testing.T) {
	var made table[int, int]
	for i := range 200 {
		made.put(i, new(i))
	}
	all := made.publish()
	if same := all.Filter(func(r *int) *int { return r }); !slices.Equal(same.chunks, all.chunks) {
		t.Error("a table that loses nothing is a new one")
	}
	odd := all.Filter(func(r *int) *int {
		switch {
		case *r%2 == 0:
			return nil
		case *r == 7:
			return new(1000)
		}
		return r
	})
	if all.Len() != 200 || odd.Len() != 100 {
		t.Fatalf("%d of %d", odd.Len(), all.Len())
	}
	i := 1
	for r := range odd.All() {
		if want := i; *r != want && (i != 7 || *r != 1000) {
			t.Fatalf("got %d, want %d", *r, want)
		}
		i += 2
	}
	if odd.chunks[0].records[0] != all.chunks[0].records[1] {
		t.Error("what is kept beside a record is lost")
	}
	if none := all.Filter(func(*int) *int { return nil }); none.Len() != 0 {
		t.Errorf("%d are left", none.Len())
	}
}
