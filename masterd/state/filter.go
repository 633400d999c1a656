package state

// Filter returns a table of what keep makes of each record: the record itself,
// another one in its place, or nil for none. It is for readers that must not
// see everything; a Table that loses nothing is returned as it is.
func (t Table[T]) Filter(keep func(*T) *T) Table[T] {
	var out Table[T]
	same := true
	for r := range t.All() {
		kept := keep(r)
		if kept != r {
			same = false
		}
		if kept == nil {
			continue
		}
		slot := out.length % chunkSize
		if slot == 0 {
			out.chunks = append(out.chunks, &chunk[T]{})
		}
		last := out.chunks[len(out.chunks)-1]
		last.records[slot] = kept
		last.live++
		out.length++
	}
	if same {
		return t
	}
	return out
}
