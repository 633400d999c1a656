package state

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTable holds the table against a slice of pairs, and what was published
// against later changes.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tab table[int, int]
		var keys, values []int // the model
		type snapshot struct {
			view Table[int]
			want []int
		}
		var snapshots []snapshot
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			k := rapid.IntRange(0, 400).Draw(t, "key")
			i := slices.Index(keys, k)
			switch action := rapid.IntRange(0, 9).Draw(t, "action"); {
			case action < 6:
				v := rapid.Int().Draw(t, "value")
				tab.put(k, &v)
				if i < 0 {
					keys, values = append(keys, k), append(values, v)
				} else {
					values[i] = v
				}
			case action < 9:
				tab.drop(k)
				if i >= 0 {
					keys, values = slices.Delete(keys, i, i+1), slices.Delete(values, i, i+1)
				}
			default:
				snapshots = append(snapshots, snapshot{tab.publish(), slices.Clone(values)})
			}
			if got := tab.get(k); (got == nil) != (slices.Index(keys, k) < 0) {
				t.Fatalf("get(%d) = %v", k, got)
			}
		}
		snapshots = append(snapshots, snapshot{tab.publish(), values})
		for _, s := range snapshots {
			got := make([]int, 0, s.view.Len())
			for v := range s.view.All() {
				got = append(got, *v)
			}
			if s.view.Len() != len(s.want) || !slices.Equal(got, append([]int{}, s.want...)) {
				t.Fatalf("published %v, want %v", got, s.want)
			}
		}
	})
}

// TestTableOfMany drops most of many records, which compacts the table.
func TestTableOfMany(t *testing.T) {
	var tab table[int, int]
	const n = 10_000
	for i := range n {
		tab.put(i, &i)
	}
	before := tab.publish()
	for i := range n {
		if i%100 != 0 {
			tab.drop(i)
		}
	}
	if len(tab.chunks) > 2*n/100/chunkSize+8 {
		t.Errorf("%d chunks for %d records", len(tab.chunks), len(tab.where))
	}
	var got []int
	for v := range tab.publish().All() {
		got = append(got, *v)
	}
	if len(got) != n/100 || !slices.IsSorted(got) {
		t.Errorf("%d records are left, sorted %t", len(got), slices.IsSorted(got))
	}
	if before.Len() != n {
		t.Errorf("the earlier view has %d records", before.Len())
	}
}

// TestKept checks that what readers keep stays with a record through changes of
// others, and goes with the record.
func TestKept(t *testing.T) {
	var tab table[int, int]
	values := make([]int, 3*chunkSize)
	for i := range values {
		tab.put(i, &values[i])
	}
	made := 0
	read := func() (forms [][]byte) {
		for r, kept := range tab.publish().Each() {
			forms = append(forms, kept.Get(1, func() []byte {
				made++
				return []byte{byte(*r)}
			}))
		}
		return forms
	}
	if read(); made != len(values) {
		t.Fatalf("made %d forms of %d records", made, len(values))
	}
	tab.put(0, &values[0]) // the same record again
	tab.put(5, new(77))
	tab.drop(chunkSize)
	made = 0
	forms := read()
	if made != 1 || forms[5][0] != 77 || len(forms) != len(values)-1 {
		t.Errorf("after one change %d forms were made; the changed one is %v", made, forms[5])
	}
	var parts, length int
	for _, piece := range tab.publish().Split(2) {
		parts++
		length += piece.Len()
		for range piece.All() {
			length--
		}
	}
	if parts != 2 || length != 0 {
		t.Errorf("%d pieces; their lengths are wrong by %d", parts, length)
	}
}

// A digest is made once for a group of records, and anew when one of them
// changes; Without gives the same groups.
func TestDigests(t *testing.T) {
	var tab table[int, int]
	values := make([]int, 3*chunkSize)
	for i := range values {
		values[i] = i
		tab.put(i, &values[i])
	}
	made := 0
	sum := func() (total int) {
		for _, d := range Digests(tab.publish(), func(group Table[int]) (sum int) {
			made++
			for v := range group.All() {
				sum += *v
			}
			return sum
		}) {
			total += d
		}
		return total
	}
	n := len(values)
	if got := sum(); got != n*(n-1)/2 || made != 3 {
		t.Errorf("the sum is %d, of %d digests", got, made)
	}
	before := tab.publish()
	tab.put(5, new(1005))
	if got := sum(); got != n*(n-1)/2+1000 || made != 4 {
		t.Errorf("after a change the sum is %d, of %d digests", got, made)
	}
	if rest := tab.publish().Without(before); rest.Len() != chunkSize {
		t.Errorf("after a change in one group %d records may be new, want %d", rest.Len(), chunkSize)
	}
	if rest := tab.publish().Without(tab.publish()); rest.Len() != 0 {
		t.Errorf("%d records are new although nothing changed", rest.Len())
	}
	tab.drop(5)
	all := tab.publish()
	place := 0
	for want := range all.All() {
		if got, kept := all.At(place); got != want || kept == nil {
			t.Fatalf("at %d there is another record", place)
		}
		place++
	}
	if got, _ := all.At(place); got != nil {
		t.Error("there is something behind the end")
	}
	if got := sum(); got != n*(n-1)/2-5 {
		t.Errorf("after a removal the sum is %d", got)
	}
}
