package state

import "sync/atomic"

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

// Drop forgets a form, to be made again when somebody asks for it.
func (k *Kept) Drop(f Form) { k.forms[f].Store(nil) }

// cell is a record's place in a table, with what readers keep beside it: the
// two stay together when chunks are copied.
type cell[T any] struct {
	record *T
	kept   Kept
}
