package state

import "iter"

// list is a sequence that gives its elements back in O(1). Iterating the
// machine's maps would be in random order, so whatever has to be gone through
// is in a list as well.
type list[T any] struct {
	head, tail *node[T]
	length     int
}

// node is an element's place in a list. The owner of the element keeps it.
type node[T any] struct {
	value      *T
	prev, next *node[T]
}

// add appends an element.
func (l *list[T]) add(v *T) *node[T] {
	n := &node[T]{value: v, prev: l.tail}
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.length++
	return n
}

// remove takes an element out. A nil node is no element.
func (l *list[T]) remove(n *node[T]) {
	if n == nil {
		return
	}
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	l.length--
}

// all yields the elements. The one that was yielded last may be removed while
// iterating.
func (l *list[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for n := l.head; n != nil; {
			next := n.next
			if !yield(n.value) {
				return
			}
			n = next
		}
	}
}

// dirty is the set of elements that changed since the last View.
type dirty[T any] struct {
	elements []*T
}

// mark is an element's place in a dirty set: its index plus one, 0 if it is
// not in it.
type mark int

// add puts an element in unless it is in already.
func (d *dirty[T]) add(v *T, at *mark) {
	if *at == 0 {
		d.elements = append(d.elements, v)
		*at = mark(len(d.elements))
	}
}

// forget takes an element out that is about to disappear.
func (d *dirty[T]) forget(at *mark) {
	if *at > 0 {
		d.elements[*at-1] = nil
		*at = 0
	}
}

// take empties the set.
func (d *dirty[T]) take() []*T {
	elements := d.elements
	d.elements = nil
	return elements
}
