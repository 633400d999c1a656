package state

import (
	"iter"
	"sync/atomic"
)

// chunkSize is how many records are copied when one of them changes after a
// View was taken, and how many share one pointer in a View.
const chunkSize = 64

// chunk is a piece of a table. It is immutable once it is in a View, which is
// when its epoch is older than the table's.
type chunk[T any] struct {
	epoch   uint64
	live    int
	records [chunkSize]*cell[T]
	digest  atomic.Pointer[any] // see Digests
}

// table is the machine's side of a Table: records by key, in the order of
// their arrival. Publishing it is cheap, and what was published is never
// written again.
type table[K comparable, T any] struct {
	chunks []*chunk[T]
	where  map[K]int // position: chunk*chunkSize + slot
	next   int       // position of the next new record
	epoch  uint64
}

// get returns the record of a key, nil if there is none.
func (t *table[K, T]) get(k K) *T {
	pos, ok := t.where[k]
	if !ok {
		return nil
	}
	return t.chunks[pos/chunkSize].records[pos%chunkSize].record
}

// all yields the records, oldest first. The table must not change meanwhile.
func (t *table[K, T]) all() iter.Seq[*T] { return Table[T]{chunks: t.chunks}.All() }

// put adds or replaces the record of a key.
func (t *table[K, T]) put(k K, r *T) {
	if pos, ok := t.where[k]; ok {
		if t.chunks[pos/chunkSize].records[pos%chunkSize].record != r {
			t.writable(pos / chunkSize).records[pos%chunkSize] = &cell[T]{record: r}
		}
		return
	}
	if t.where == nil {
		t.where = map[K]int{}
	}
	if t.next == len(t.chunks)*chunkSize {
		t.chunks = append(t.chunks, &chunk[T]{epoch: t.epoch})
	}
	c := t.writable(t.next / chunkSize)
	c.records[t.next%chunkSize] = &cell[T]{record: r}
	c.live++
	t.where[k] = t.next
	t.next++
}

// drop removes the record of a key, if there is one.
func (t *table[K, T]) drop(k K) {
	pos, ok := t.where[k]
	if !ok {
		return
	}
	delete(t.where, k)
	c := t.writable(pos / chunkSize)
	c.records[pos%chunkSize] = nil
	c.live--
	if t.next > 4*chunkSize && len(t.where) < t.next/4 {
		t.compact()
	}
}

// writable returns a chunk that no View shares.
func (t *table[K, T]) writable(i int) *chunk[T] {
	c := t.chunks[i]
	if c.epoch != t.epoch {
		c = &chunk[T]{epoch: t.epoch, live: c.live, records: c.records}
		t.chunks[i] = c
	}
	return c
}

// compact closes the gaps that removed records left. It runs when three of
// four positions are gaps, so its cost is a constant per removal.
func (t *table[K, T]) compact() {
	moved := make(map[int]int, len(t.where))
	old := t.chunks
	t.chunks, t.next = nil, 0
	for i, c := range old {
		for j, r := range c.records {
			if r == nil {
				continue
			}
			if t.next == len(t.chunks)*chunkSize {
				t.chunks = append(t.chunks, &chunk[T]{epoch: t.epoch})
			}
			to := t.chunks[t.next/chunkSize]
			to.records[t.next%chunkSize] = r
			to.live++
			moved[i*chunkSize+j] = t.next
			t.next++
		}
	}
	for k, pos := range t.where {
		t.where[k] = moved[pos]
	}
}

// publish returns the table as it is now.
func (t *table[K, T]) publish() Table[T] {
	t.epoch++
	chunks := make([]*chunk[T], 0, len(t.chunks))
	for _, c := range t.chunks {
		if c.live > 0 {
			chunks = append(chunks, c)
		}
	}
	return Table[T]{chunks: chunks, length: len(t.where)}
}
