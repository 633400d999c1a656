package state

import (
	"iter"
	"sync/atomic"
)

// Form is one of the encodings that readers keep beside a record. What each is
// for is up to them: the machine neither knows nor makes any.
type Form uint8

// Forms is how many there are.
const Forms = 4

// Kept is what readers have made of a record so far. A record never changes, so
// what was made of it once holds for as long as there is the record, and is
// gone with it. The zero Kept is empty. Any goroutine may use it.
type Kept struct {
	forms [Forms]atomic.Pointer[[]byte]
}

// Get returns a form of the record, which must not be changed; encode makes it
// if there is none yet. Two readers that come at once may both make it: it
// must be the same every time.
func (k *Kept) Get(f Form, encode func() []byte) []byte {
	if made := k.forms[f].Load(); made != nil {
		return *made
	}
	made := encode()
	k.forms[f].Store(&made)
	return made
}

// Has says whether there is a form.
func (k *Kept) Has(f Form) bool { return k.forms[f].Load() != nil }

// Put keeps a form of the record, of which neither the slice nor what is in it
// may be changed any more. Forms that were made together may be in one array,
// which lives for as long as one of them.
func (k *Kept) Put(f Form, made *[]byte) { k.forms[f].Store(made) }

// Drop forgets a form, to be made again when somebody asks for it.
func (k *Kept) Drop(f Form) { k.forms[f].Store(nil) }

// Digests yields the records of a table in groups, oldest first, each with what
// make says of it. That is kept for as long as none of the group's records
// changes, so that what follows from a hundred thousand records costs the few
// that changed. There is one digest of a group: callers with different D make it
// anew for each other. Any goroutine may call it.
func Digests[T, D any](t Table[T], make func(Table[T]) D) iter.Seq2[Table[T], D] {
	return func(yield func(Table[T], D) bool) {
		for i, c := range t.chunks {
			group := Table[T]{chunks: t.chunks[i : i+1], length: c.live}
			d, ok := c.digested().(D)
			if !ok {
				d = make(group)
				kept := any(d)
				c.digest.Store(&kept)
			}
			if !yield(group, d) {
				return
			}
		}
	}
}

// At returns the record at a place, and what readers keep beside it. It takes
// time in proportion to the length: it is for groups.
func (t Table[T]) At(place int) (*T, *Kept) {
	for _, c := range t.chunks {
		if place >= c.live {
			place -= c.live
			continue
		}
		for _, cell := range c.records {
			if cell == nil {
				continue
			}
			if place == 0 {
				return cell.record, &cell.kept
			}
			place--
		}
	}
	return nil, nil
}

func (c *chunk[T]) digested() any {
	if d := c.digest.Load(); d != nil {
		return *d
	}
	return nil
}

// cell is a record's place in a table, with what readers keep beside it: the
// two stay together when chunks are copied.
type cell[T any] struct {
	record *T
	kept   Kept
}
