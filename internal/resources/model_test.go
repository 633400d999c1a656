package resources

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// model is the naive idea of resources: units that are there or not. A scalar is so many units, a
// range or set one unit per element, a persistent volume or a shared copy one unit each.
type model map[string]int64

func modelOf(rs ...piece) model {
	m := model{}
	for _, p := range rs {
		m.add(p)
	}
	return m
}

// piece is a resource of the generator, told twice: for the wire and for the model.
type piece struct {
	wire  *mesos.Resource
	units map[string]int64
	// counted units are those of scalars, which subtraction removes altogether once they fall short.
	counted bool
	unique  bool
}

func (m model) add(p piece) {
	for u, n := range p.units {
		if p.counted {
			m[u] += n
		} else {
			m[u] = 1
		}
	}
}

func (m model) subtract(p piece) {
	for u, n := range p.units {
		if m[u] -= n; m[u] <= 0 {
			delete(m, u)
		}
	}
}

func (m model) contains(ps []piece) bool {
	for u, n := range modelOf(ps...) {
		if m[u] < n {
			return false
		}
	}
	return true
}

// modelOfResources reads back what the algebra computed.
func modelOfResources(r Resources) model {
	m := model{}
	for it := range r.All() {
		prefix := fmt.Sprint(it.Provider().GetValue(), it.withAmount(Item{copies: 1}))
		switch {
		case it.IsShared():
			m[fmt.Sprint(prefix, it.scalar)] += int64(it.copies)
		case it.IsIndivisible():
			m[fmt.Sprint(prefix, it.scalar)]++
		case it.Type() == mesos.Value_SCALAR:
			m[prefix] += int64(it.scalar)
		case it.Type() == mesos.Value_RANGES:
			for _, x := range it.ranges {
				for n := x.Begin; n <= x.End; n++ {
					m[fmt.Sprint(prefix, n)] = 1
				}
			}
		default:
			for _, x := range it.set {
				m[fmt.Sprint(prefix, x)] = 1
			}
		}
	}
	return m
}

func (i Item) withAmount(o Item) Item {
	o.kind = i.kind
	return o
}

func drawPiece(t *rapid.T) piece {
	r := &mesos.Resource{}
	switch rapid.IntRange(0, 3).Draw(t, "reservation") {
	case 1:
		r.Reservations = []*mesos.Resource_ReservationInfo{
			{Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: new("a")},
		}
	case 2:
		r.Reservations = []*mesos.Resource_ReservationInfo{
			{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("a"), Principal: new("p")},
			{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("a/b")},
		}
	}
	if rapid.Bool().Draw(t, "allocated") {
		r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: new("a/b")}
	}
	if rapid.IntRange(0, 3).Draw(t, "provider") == 0 {
		r.ProviderId = &mesos.ResourceProviderID{Value: new("rp")}
	}
	p := piece{wire: r, units: map[string]int64{}}
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		drawScalar(t, r, rapid.SampledFrom([]string{"cpus", "mem"}).Draw(t, "name"))
		if rapid.Bool().Draw(t, "revocable") {
			r.Revocable = &mesos.Resource_RevocableInfo{}
		}
		p.counted = true
	case 1:
		drawRanges(t, r)
	case 2:
		r.Name, r.Type = new("zones"), mesos.Value_SET.Enum()
		r.Set = &mesos.Value_Set{Item: rapid.SliceOfDistinct(rapid.StringMatching("[a-d]"), rapid.ID).Draw(t, "items")}
	case 3:
		drawScalar(t, r, "disk")
		r.Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"))},
			Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
		}
		if rapid.Bool().Draw(t, "shared") {
			r.Shared = &mesos.Resource_SharedInfo{}
		}
		p.counted, p.unique = true, true
	case 4:
		drawScalar(t, r, "disk")
		r.Disk = &mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{
			Type:  mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
			Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/mnt")},
		}}
		p.counted, p.unique = true, true
	}
	p.units = modelOfResources(Of(r))
	return p
}

func drawScalar(t *rapid.T, r *mesos.Resource, name string) {
	r.Name, r.Type = &name, mesos.Value_SCALAR.Enum()
	// Halves and thirds of thousandths show that rounding happens once.
	v := float64(rapid.IntRange(0, 4000).Draw(t, "amount")) / 1000
	r.Scalar = &mesos.Value_Scalar{Value: &v}
}

func drawRanges(t *rapid.T, r *mesos.Resource) {
	r.Name, r.Type = new("ports"), mesos.Value_RANGES.Enum()
	r.Ranges = &mesos.Value_Ranges{}
	begin := uint64(0)
	for range rapid.IntRange(0, 4).Draw(t, "ranges") {
		begin += uint64(rapid.IntRange(0, 3).Draw(t, "gap"))
		end := begin + uint64(rapid.IntRange(0, 3).Draw(t, "length"))
		r.Ranges.Range = append(r.Ranges.Range, &mesos.Value_Range{Begin: new(begin), End: &end})
		begin = end + 1
	}
}

func resourcesOf(t *rapid.T, ps []piece) Resources {
	var rs []*mesos.Resource
	for _, p := range ps {
		rs = append(rs, p.wire)
	}
	r, err := New(rs)
	if err != nil {
		t.Fatalf("generated resources are invalid: %v", err)
	}
	return r
}

func TestAlgebraAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.Custom(drawPiece), 0, 6)
		as, bs := pieces.Draw(t, "a"), pieces.Draw(t, "b")
		a, b := resourcesOf(t, as), resourcesOf(t, bs)

		sum := modelOf(append(append([]piece{}, as...), bs...)...)
		if got := modelOfResources(a.Add(b)); !maps.Equal(got, sum) {
			t.Errorf("sum of %s and %s: %v, want %v", a, b, got, sum)
		}
		if got, want := a.Contains(b), modelOf(as...).contains(bs); got != want {
			t.Errorf("%s contains %s: %v, want %v", a, b, got, want)
		}
		if got, want := a.Equal(b), maps.Equal(modelOf(as...), modelOf(bs...)); got != want {
			t.Errorf("%s equals %s: %v, want %v", a, b, got, want)
		}
		rest := modelOf(as...)
		for it := range b.All() {
			rest.subtract(piece{units: modelOfResources(it.Resources())})
		}
		if got := modelOfResources(a.Subtract(b)); !maps.Equal(got, rest) {
			t.Errorf("%s without %s: %v, want %v", a, b, got, rest)
		}
	})
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.Custom(drawPiece), 0, 6)
		a, b := resourcesOf(t, pieces.Draw(t, "a")), resourcesOf(t, pieces.Draw(t, "b"))
		before := a.String()
		if !a.Add(b).Equal(b.Add(a)) {
			t.Errorf("addition does not commute: %s and %s", a, b)
		}
		if !disjoint(a, b) {
			return
		}
		if got := a.Add(b).Subtract(b); !got.Equal(a) {
			t.Errorf("%s plus and minus %s is %s", a, b, got)
		}
		if !a.Add(b).Contains(a) || !a.Add(b).Contains(b) {
			t.Errorf("the sum of %s and %s does not contain both", a, b)
		}
		if got, err := New(a.Proto()); err != nil || !got.Equal(singles(a)) {
			t.Errorf("wire form of %s reads back as %s, %v", a, got, err)
		}
		if a.String() != before {
			t.Errorf("an operation changed %s to %s", before, a)
		}
	})
}

// disjoint reports whether ranges and sets of the same kind have nothing in common, for only then
// does subtraction undo addition.
func disjoint(a, b Resources) bool {
	m := modelOfResources(b)
	for it := range a.All() {
		if it.Type() == mesos.Value_SCALAR {
			continue
		}
		for u := range modelOfResources(it.Resources()) {
			if m[u] > 0 {
				return false
			}
		}
	}
	return true
}

// singles has every shared resource once.
func singles(r Resources) Resources {
	var out Resources
	for it := range r.All() {
		it.copies = 1
		out = out.Add(it.Resources())
	}
	return out
}

func TestAllocationAndReservationUndo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := resourcesOf(t, rapid.SliceOfN(rapid.Custom(drawPiece), 0, 6).Draw(t, "a")).Unallocate()
		if got := a.Allocate("x").Unallocate(); !got.Equal(a) {
			t.Errorf("%s allocated and unallocated is %s", a, got)
		}
		for it := range a.Allocate("x").All() {
			if it.AllocatedTo() != "x" {
				t.Errorf("%s is not allocated to x", it)
			}
		}
		reservation := &mesos.Resource_ReservationInfo{
			Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("a/b/c"),
		}
		pushed, err := a.PushReservation(reservation)
		if err != nil {
			t.Fatal(err)
		}
		popped, err := pushed.PopReservation()
		if err != nil || !popped.Equal(a) {
			t.Errorf("%s reserved and unreserved is %s, %v", a, popped, err)
		}
		if got := pushed.ReservedFor("a/b/c"); !got.Equal(pushed) {
			t.Errorf("%s is not all reserved for a/b/c", pushed)
		}
		if pushed.ToUnreserved().Quantities().String() != a.Quantities().String() {
			t.Errorf("quantities differ between %s and %s", a, pushed)
		}
	})
}
