package resources

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func drawPieces(t *rapid.T) []piece {
	return rapid.SliceOfN(rapid.Custom(drawPiece), 0, 6).Draw(t, "pieces")
}

// role is the role that a piece is reserved for, "" without.
func (p piece) role() string {
	if n := len(p.wire.Reservations); n > 0 {
		return p.wire.Reservations[n-1].GetRole()
	}
	return ""
}

// TestSelections: a selection is the sum of the pieces that look so on the wire.
func TestSelections(t *testing.T) {
	is := func(of func(*mesos.Resource) bool) func(piece) bool { return func(p piece) bool { return of(p.wire) } }
	for name, c := range map[string]struct {
		got  func(Resources) Resources
		want func(piece) bool
	}{
		"reserved":              {Resources.Reserved, func(p piece) bool { return p.role() != "" }},
		"unreserved":            {Resources.Unreserved, func(p piece) bool { return p.role() == "" }},
		"reserved for a":        {func(r Resources) Resources { return r.ReservedFor("a") }, func(p piece) bool { return p.role() == "a" }},
		"reserved in a":         {func(r Resources) Resources { return r.ReservedInSubtree("a") }, func(p piece) bool { return p.role() != "" }},
		"reserved in a/b":       {func(r Resources) Resources { return r.ReservedInSubtree("a/b") }, func(p piece) bool { return p.role() == "a/b" }},
		"reserved in b":         {func(r Resources) Resources { return r.ReservedInSubtree("b") }, func(piece) bool { return false }},
		"allocatable to a":      {func(r Resources) Resources { return r.AllocatableTo("a") }, func(p piece) bool { return p.role() != "a/b" }},
		"allocatable to a/b/c":  {func(r Resources) Resources { return r.AllocatableTo("a/b/c") }, func(piece) bool { return true }},
		"allocatable to a/c":    {func(r Resources) Resources { return r.AllocatableTo("a/c") }, func(p piece) bool { return p.role() != "a/b" }},
		"revocable":             {Resources.Revocable, is(func(r *mesos.Resource) bool { return r.Revocable != nil })},
		"not revocable":         {Resources.NonRevocable, is(func(r *mesos.Resource) bool { return r.Revocable == nil })},
		"shared":                {Resources.Shared, is(func(r *mesos.Resource) bool { return r.Shared != nil })},
		"not shared":            {Resources.NonShared, is(func(r *mesos.Resource) bool { return r.Shared == nil })},
		"volumes":               {Resources.PersistentVolumes, is(func(r *mesos.Resource) bool { return r.GetDisk().GetPersistence() != nil })},
		"scalars":               {Resources.Scalars, is(func(r *mesos.Resource) bool { return r.Scalar != nil })},
		"named":                 {func(r Resources) Resources { return r.Named("cpus") }, is(func(r *mesos.Resource) bool { return r.GetName() == "cpus" })},
		"of a provider":         {func(r Resources) Resources { return r.Filter(func(i Item) bool { return i.Provider() != nil }) }, is(func(r *mesos.Resource) bool { return r.ProviderId != nil })},
		"dynamically reserved":  {func(r Resources) Resources { return r.Filter(Item.IsDynamicallyReserved) }, func(p piece) bool { return p.role() == "a/b" }},
		"refined":               {func(r Resources) Resources { return r.Filter(Item.IsRefined) }, func(p piece) bool { return len(p.wire.Reservations) > 1 }},
		"grouped as reserved":   {func(r Resources) Resources { return r.ByReservation()["a"] }, func(p piece) bool { return p.role() == "a" }},
		"grouped as allocated":  {func(r Resources) Resources { return r.ByAllocation()["a/b"] }, is(func(r *mesos.Resource) bool { return r.AllocationInfo != nil })},
		"partition, what stays": {func(r Resources) Resources { kept, _ := r.Partition(Item.IsReserved); return kept }, func(p piece) bool { return p.role() != "" }},
		"partition, the others": {func(r Resources) Resources { _, others := r.Partition(Item.IsReserved); return others }, func(p piece) bool { return p.role() == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				all := drawPieces(t)
				r := resourcesOf(t, all)
				want := modelOf(slices.DeleteFunc(slices.Clone(all), func(p piece) bool { return !c.want(p) })...)
				if got := modelOfResources(c.got(r)); !maps.Equal(got, want) {
					t.Errorf("of %s: %v, want %v", r, got, want)
				}
			})
		})
	}
}

// amountsOf adds up pieces by name, element by element: what is there once counts once.
func amountsOf(all []piece, elements bool) map[string]Scalar {
	sums, seen := map[string]Scalar{}, map[string]bool{}
	for _, p := range all {
		if p.wire.Shared != nil && !p.isNew(seen) {
			continue
		}
		if p.wire.Scalar != nil {
			sums[p.wire.GetName()] += ScalarOf(p.wire.GetScalar().GetValue())
			continue
		}
		for u := range p.units {
			if elements && !seen[u] {
				seen[u] = true
				sums[p.wire.GetName()] += 1000
			}
		}
	}
	maps.DeleteFunc(sums, func(_ string, v Scalar) bool { return v == 0 })
	return sums
}

func (p piece) isNew(seen map[string]bool) bool {
	for u := range p.units {
		if seen[u] {
			return false
		}
		seen[u] = true
	}
	return true
}

func asMap(q Quantities) map[string]Scalar {
	m := map[string]Scalar{}
	for _, x := range q {
		m[x.Name] += x.Value
	}
	return m
}

func TestAmountsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawPieces(t)
		r := resourcesOf(t, all)
		want := amountsOf(all, true)
		if got := asMap(r.Amounts()); !maps.Equal(got, want) {
			t.Errorf("amounts of %s: %v, want %v", r, got, want)
		}
		scalars := amountsOf(all, false)
		if got := asMap(r.Quantities()); !maps.Equal(got, scalars) {
			t.Errorf("quantities of %s: %v, want %v", r, got, scalars)
		}
		for name, v := range scalars {
			if got := r.Scalar(name); got != v {
				t.Errorf("%s of %s: %s, want %s", name, r, got, v)
			}
		}
		for name, v := range want {
			if !r.ContainsQuantities(Quantities{{name, v}}) || r.ContainsQuantities(Quantities{{name, v + 1}}) {
				t.Errorf("%s does not contain just %s of %s", r, v, name)
			}
		}
		var names []string
		for _, p := range all {
			if len(p.units) > 0 && !slices.Contains(names, p.wire.GetName()) {
				names = append(names, p.wire.GetName())
			}
		}
		if slices.Sort(names); !slices.Equal(r.Names(), names) {
			t.Errorf("names of %s: %v, want %v", r, r.Names(), names)
		}
	})
}

func TestQuantitiesAgainstModel(t *testing.T) {
	draw := func(t *rapid.T, label string) map[string]Scalar {
		m := rapid.MapOf(rapid.SampledFrom([]string{"cpus", "mem", "disk"}),
			rapid.Custom(func(t *rapid.T) Scalar { return Scalar(rapid.Int64Range(0, 5).Draw(t, "v")) })).Draw(t, label)
		maps.DeleteFunc(m, func(_ string, v Scalar) bool { return v == 0 })
		return m
	}
	of := func(m map[string]Scalar) (q []Quantity) {
		for name, v := range m {
			q = append(q, Quantity{name, v})
		}
		return q
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		qa, qb := QuantitiesOf(of(a)...), QuantitiesOf(of(b)...)
		sum, rest, contains, allows := maps.Clone(a), maps.Clone(a), true, true
		for name, v := range b {
			sum[name] += v
			if rest[name] -= v; rest[name] <= 0 {
				delete(rest, name)
			}
			contains = contains && a[name] >= v
			allows = allows && a[name] <= v
		}
		if got := asMap(qa.Add(qb)); !maps.Equal(got, sum) {
			t.Errorf("%s and %s are %v", qa, qb, got)
		}
		if got := asMap(qa.Subtract(qb)); !maps.Equal(got, rest) {
			t.Errorf("%s without %s is %v", qa, qb, got)
		}
		if got := qa.Contains(qb); got != contains {
			t.Errorf("%s contains %s: %v", qa, qb, got)
		}
		if l := LimitsOf(of(b)...); l.Allows(qa) != allows {
			t.Errorf("limits of %s allow %s: %v", l, qa, !allows)
		}
	})
}

// TestCopies: the form for accounts has every copy, that of the wire one of each, and so does One.
func TestCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawPieces(t)
		r := resourcesOf(t, all)
		if got := Of(r.Copied()...); !got.Equal(r) {
			t.Errorf("copies of %s read back as %s", r, got)
		}
		if got := Of(r.Proto()...); !got.Equal(singles(r)) {
			t.Errorf("%s reads back as %s", r, got)
		}
		copies := 0
		for it := range r.All() {
			copies += it.Copies()
			one := it.One()
			if one.Len() != 1 || one.items[0].Copies() != 1 || one.items[0].Quantity() != it.Quantity() {
				t.Errorf("one of %s is %s", it, one)
			}
		}
		if got := len(r.Copied()); got != copies {
			t.Errorf("%s is told in %d pieces, of %d copies", r, got, copies)
		}
		if !r.Same(r) || r.Same(r.Add(resourcesOf(t, all))) && r.Len() > 0 { //nolint:gocritic // on purpose
			t.Errorf("Same of %s", r)
		}
	})
}

func TestShrinkAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Scalar(rapid.Int64Range(0, 5000).Draw(t, "limit"))
		for it := range resourcesOf(t, drawPieces(t)).All() {
			got, ok := it.Shrink(limit)
			divisible := it.Type() == mesos.Value_SCALAR && !it.IsIndivisible()
			switch {
			case it.Type() == mesos.Value_SCALAR && it.Scalar() <= limit:
				if !ok || got.Scalar() != it.Scalar() {
					t.Errorf("%s, which is less than %s, becomes %s, %v", it, limit, got, ok)
				}
			case ok != divisible, ok && got.Scalar() != limit:
				t.Errorf("%s shrunk to %s is %s, %v", it, limit, got, ok)
			}
		}
	})
}

func TestRangesAndSetsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (Ranges, Set, map[uint64]bool) {
			r := &mesos.Resource{}
			drawRanges(t, r)
			m, items := map[uint64]bool{}, []string{}
			for _, x := range r.GetRanges().GetRange() {
				for n := x.GetBegin(); n <= x.GetEnd(); n++ {
					m[n] = true
					items = append(items, strings.Repeat("x", int(n)))
				}
			}
			return RangesFromProto(r.Ranges), SetOf(items...), m
		}
		ra, sa, a := draw("a")
		rb, sb, b := draw("b")
		sum, rest, contains := maps.Clone(a), maps.Clone(a), true
		for n := range b {
			sum[n], contains = true, contains && a[n]
			delete(rest, n)
		}
		same := func(r Ranges, s Set, m map[uint64]bool) bool {
			count := 0
			for _, x := range r {
				for n := x.Begin; n <= x.End; n++ {
					if !m[n] || !slices.Contains(s, strings.Repeat("x", int(n))) {
						return false
					}
					count++
				}
			}
			return count == len(m) && len(s) == len(m) && r.Count() == uint64(len(m))
		}
		if !same(ra.Add(rb), sa.Add(sb), sum) {
			t.Errorf("sum of %s and %s: %s, %s", ra, rb, ra.Add(rb), sa.Add(sb))
		}
		if !same(ra.Subtract(rb), sa.Subtract(sb), rest) {
			t.Errorf("%s without %s: %s, %s", ra, rb, ra.Subtract(rb), sa.Subtract(sb))
		}
		if ra.Contains(rb) != contains || sa.Contains(sb) != contains {
			t.Errorf("%s contains %s: %v, %v", ra, rb, ra.Contains(rb), sa.Contains(sb))
		}
		if ra.Equal(rb) != maps.Equal(a, b) || sa.Equal(sb) != maps.Equal(a, b) {
			t.Errorf("%s equals %s: %v, %v", ra, rb, ra.Equal(rb), sa.Equal(sb))
		}
	})
}

// drawOperation is an operation that r can bear, and one that undoes it; nil if there is none.
func drawOperation(t *rapid.T, r Resources) (op, undo *mesos.Offer_Operation) {
	if r.Len() == 0 {
		return nil, nil
	}
	it := r.items[rapid.IntRange(0, r.Len()-1).Draw(t, "item")]
	one := it.One().Proto()
	switch {
	case it.IsPersistentVolume() && !it.IsShared() && it.Provider() == nil && it.Scalar() > 1 && rapid.Bool().Draw(t, "resize"):
		part := rapid.Int64Range(1, int64(it.Scalar())-1).Draw(t, "part")
		left, freed := it, it.withoutVolume()
		left.scalar, freed.scalar = it.scalar-Scalar(part), Scalar(part)
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{
				Volume: one[0], Subtract: &mesos.Value_Scalar{Value: new(Scalar(part).Float())},
			}}, &mesos.Offer_Operation{Type: mesos.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &mesos.Offer_Operation_GrowVolume{
				Volume: left.Resources().Proto()[0], Addition: freed.Resources().Proto()[0],
			}}
	case it.IsPersistentVolume() && it.Copies() == 1:
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_DESTROY.Enum(), Destroy: &mesos.Offer_Operation_Destroy{Volumes: one}},
			&mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE.Enum(), Create: &mesos.Offer_Operation_Create{Volumes: one}}
	case it.IsPersistentVolume():
		return nil, nil
	}
	reserved, err := it.Resources().PushReservation(&mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("a/b/c"),
	})
	if err != nil {
		t.Fatal(err)
	}
	list := reserved.Proto()
	return &mesos.Offer_Operation{Type: mesos.Offer_Operation_RESERVE.Enum(), Reserve: &mesos.Offer_Operation_Reserve{Resources: list}},
		&mesos.Offer_Operation{Type: mesos.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesos.Offer_Operation_Unreserve{Resources: list}}
}

// TestOperationsAgainstModel: an operation takes what it says that it consumes, leaves all else, makes
// nothing more nor less, and can be undone.
func TestOperationsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// All is allocated to one role, as in an offer: nothing merges when that is taken off.
		r := resourcesOf(t, drawPieces(t)).Unallocate().Allocate("a/b")
		op, undo := drawOperation(t, r)
		if op == nil {
			return
		}
		after, err := r.Apply(op)
		if err != nil {
			t.Fatalf("%v on %s: %v", op, r, err)
		}
		consumed, err := Consumed(op)
		if err != nil || !r.Contains(consumed) || consumed.IsEmpty() {
			t.Errorf("%v on %s consumes %s, %v", op, r, consumed, err)
		}
		if rest := r.Subtract(consumed); !after.Contains(rest) {
			t.Errorf("%v on %s leaves %s, which lacks of %s", op, r, after, rest)
		}
		if !maps.Equal(asMap(r.Amounts()), asMap(after.Amounts())) {
			t.Errorf("%v makes %s of %s", op, after.Amounts(), r.Amounts())
		}
		if before, err := after.Apply(undo); err != nil || !before.Equal(r) {
			t.Errorf("%v and %v make %s of %s, %v", op, undo, before, r, err)
		}
		conversions, err := Conversions(op)
		if err != nil {
			t.Fatal(err)
		}
		bare := r.Unallocate()
		for _, c := range conversions {
			if bare, err = c.Unallocate().Apply(bare); err != nil {
				t.Fatal(err)
			}
		}
		if !bare.Equal(after.Unallocate()) {
			t.Errorf("without allocation %v makes %s of %s", op, bare, r)
		}
	})
}

// TestOperationsAreReadWhole: Lists has every resource of an operation, wherever it stands, and
// ProviderOf is that of any.
func TestOperationsAreReadWhole(t *testing.T) {
	fields := (&mesos.Offer_Operation{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message() != nil {
			checkReadWhole(t, f)
		}
	}
}

func checkReadWhole(t *testing.T, of protoreflect.FieldDescriptor) {
	inner := of.Message().Fields()
	for i := range inner.Len() {
		f := inner.Get(i)
		if f.Message() == nil || f.Message().FullName() != "mesos.v1.Resource" {
			continue
		}
		op := &mesos.Offer_Operation{}
		r := &mesos.Resource{Name: new("disk"), ProviderId: &mesos.ResourceProviderID{Value: new("rp")}}
		body := op.ProtoReflect().Mutable(of).Message()
		if f.IsList() {
			body.Mutable(f).List().Append(protoreflect.ValueOfMessage(r.ProtoReflect()))
		} else {
			body.Set(f, protoreflect.ValueOfMessage(r.ProtoReflect()))
		}
		if all := slices.Concat(Lists(op)...); len(all) != 1 || all[0] != r {
			t.Errorf("%s: the lists are %v", f.FullName(), all)
		}
		if ProviderOf(op).GetValue() != "rp" {
			t.Errorf("%s: the provider is not seen", f.FullName())
		}
	}
	if ProviderOf(&mesos.Offer_Operation{}) != nil {
		t.Error("an empty operation has a provider")
	}
}
