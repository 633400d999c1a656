// Package idpool hands out numbers of ranges that an operator set aside: project IDs
// of a file system, group IDs. A number has one holder. Isolators use it; it has no
// lock of its own.
package idpool

import (
	"errors"
	"fmt"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// ErrExhausted says that every number is taken.
var ErrExhausted = errors.New("all of the range are taken")

// Pool are the numbers and who has none of them.
type Pool struct {
	total, free resources.Ranges
}

// Parse reads ranges such as "[5000-10000]". Numbers above limit, and 0, are
// refused: it means "none" in the kernel.
func Parse(text string, limit uint64) (*Pool, error) {
	rs, err := resources.ParseProto("ids:"+text, "*")
	if err != nil || len(rs) != 1 || rs[0].GetRanges() == nil {
		return nil, fmt.Errorf("range %q: want the form [5000-10000]", text)
	}
	total := resources.RangesFromProto(rs[0].GetRanges())
	if len(total) == 0 {
		return nil, fmt.Errorf("range %q is empty", text)
	}
	if total[0].Begin == 0 {
		return nil, fmt.Errorf("range %q has the number 0, which is nobody's", text)
	}
	if last := total[len(total)-1].End; last > limit {
		return nil, fmt.Errorf("range %q: %d is more than %d", text, last, limit)
	}
	return &Pool{total: total, free: total}, nil
}

// Take returns the lowest number that is free.
func (p *Pool) Take() (uint64, error) {
	if len(p.free) == 0 {
		return 0, fmt.Errorf("%w: %s", ErrExhausted, p.total)
	}
	n := p.free[0].Begin
	p.Hold(n)
	return n, nil
}

// Hold marks a number as taken. It may be one that is taken already or, since
// operators change ranges, none of the pool's.
func (p *Pool) Hold(n uint64) { p.free = p.free.Subtract(one(n)) }

// Release gives a number back, if it is one of the pool's.
func (p *Pool) Release(n uint64) {
	if p.total.Contains(one(n)) && !p.free.Contains(one(n)) {
		p.free = p.free.Add(one(n))
	}
}

// Owns says whether a number is one of the pool's.
func (p *Pool) Owns(n uint64) bool { return p.total.Contains(one(n)) }

// Total is how many numbers there are, Free how many of them nobody has.
func (p *Pool) Total() uint64 { return p.total.Count() }

// Free is as in [Pool.Total].
func (p *Pool) Free() uint64 { return p.free.Count() }

func one(n uint64) resources.Ranges {
	return resources.RangesOf(resources.Range{Begin: n, End: n})
}
