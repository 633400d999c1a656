package state

// Filter returns a table of what keep makes of each record: the record itself,
// another one in its place, or nil for none. It is for readers that must not
// see everything. Records that stay share what is kept beside them, and a Table
// that loses nothing is returned as it is.
func (t Table[T]) Filter(keep func(*T) *T) Table[T] {
	var out Table[T]
	same := true
	for _, c := range t.chunks {
		for _, from := range c.records {
			if from == nil {
				continue
			}
			record := keep(from.record)
			if record != from.record {
				same = false
				from = &cell[T]{record: record}
			}
			if record != nil {
				out.add(from)
			}
		}
	}
	if same {
		return t
	}
	return out
}

// add is for tables in the making.
func (t *Table[T]) add(c *cell[T]) {
	slot := t.length % chunkSize
	if slot == 0 {
		t.chunks = append(t.chunks, &chunk[T]{})
	}
	last := t.chunks[len(t.chunks)-1]
	last.records[slot] = c
	last.live++
	t.length++
}
