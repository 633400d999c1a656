package resources

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Range is a closed interval of whole numbers, such as ports.
type Range struct{ Begin, End uint64 }

// Ranges is a set of whole numbers: sorted ranges that neither overlap nor touch. The zero value is
// empty. A Ranges is never changed in place.
type Ranges []Range

// RangesOf sorts and coalesces; inverted ranges are left out.
func RangesOf(rs ...Range) Ranges {
	out := make(Ranges, 0, len(rs))
	for _, r := range rs {
		if r.Begin <= r.End {
			out = append(out, r)
		}
	}
	if !slices.IsSortedFunc(out, byBegin) {
		slices.SortFunc(out, byBegin)
	}
	return coalesce(out)
}

// RangesFromProto is RangesOf for the wire type.
func RangesFromProto(p *mesos.Value_Ranges) Ranges {
	rs := make([]Range, 0, len(p.GetRange()))
	for _, r := range p.GetRange() {
		rs = append(rs, Range{r.GetBegin(), r.GetEnd()})
	}
	return RangesOf(rs...)
}

func byBegin(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) }

// coalesce merges sorted ranges that overlap or touch, in place.
func coalesce(rs Ranges) Ranges {
	n := 0
	for _, r := range rs {
		if n > 0 && (r.Begin <= rs[n-1].End || r.Begin-1 == rs[n-1].End) {
			rs[n-1].End = max(rs[n-1].End, r.End)
			continue
		}
		rs[n] = r
		n++
	}
	return rs[:n:n]
}

// Add is the union.
func (r Ranges) Add(o Ranges) Ranges {
	if len(r) == 0 {
		return o
	}
	if len(o) == 0 {
		return r
	}
	merged := make(Ranges, 0, len(r)+len(o))
	i, j := 0, 0
	for i < len(r) && j < len(o) {
		if r[i].Begin <= o[j].Begin {
			merged = append(merged, r[i])
			i++
		} else {
			merged = append(merged, o[j])
			j++
		}
	}
	merged = append(append(merged, r[i:]...), o[j:]...)
	return coalesce(merged)
}

// Subtract is what is in r and not in o.
func (r Ranges) Subtract(o Ranges) Ranges {
	if len(r) == 0 || len(o) == 0 {
		return r
	}
	out := make(Ranges, 0, len(r)+len(o))
	j := 0
	for _, rest := range r {
		for j < len(o) && o[j].End < rest.Begin {
			j++
		}
		empty := false
		for ; j < len(o) && o[j].Begin <= rest.End; j++ {
			if o[j].Begin > rest.Begin {
				out = append(out, Range{rest.Begin, o[j].Begin - 1})
			}
			if o[j].End >= rest.End {
				empty = true
				break
			}
			rest.Begin = o[j].End + 1
		}
		if !empty {
			out = append(out, rest)
		}
	}
	return out
}

// Contains reports whether all of o is in r.
func (r Ranges) Contains(o Ranges) bool {
	i := 0
	for _, want := range o {
		for i < len(r) && r[i].End < want.Begin {
			i++
		}
		if i == len(r) || want.Begin < r[i].Begin || want.End > r[i].End {
			return false
		}
	}
	return true
}

// Equal compares as sets.
func (r Ranges) Equal(o Ranges) bool { return slices.Equal(r, o) }

// Count is how many numbers there are; it saturates.
func (r Ranges) Count() uint64 {
	var n uint64
	for _, x := range r {
		size := x.End - x.Begin
		if size == math.MaxUint64 || n > math.MaxUint64-size-1 {
			return math.MaxUint64
		}
		n += size + 1
	}
	return n
}

// String is Mesos's form, "[31000-31999, 32005-32005]".
func (r Ranges) String() string { return string(r.append(nil)) }

func (r Ranges) append(b []byte) []byte {
	b = append(b, '[')
	for i, x := range r {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendUint(b, x.Begin, 10)
		b = append(b, '-')
		b = strconv.AppendUint(b, x.End, 10)
	}
	return append(b, ']')
}

// Proto is the wire type.
func (r Ranges) Proto() *mesos.Value_Ranges {
	p := &mesos.Value_Ranges{Range: make([]*mesos.Value_Range, len(r))}
	bounds := slices.Clone(r)
	messages := make([]mesos.Value_Range, len(r))
	for i := range bounds {
		messages[i].Begin, messages[i].End = &bounds[i].Begin, &bounds[i].End
		p.Range[i] = &messages[i]
	}
	return p
}
