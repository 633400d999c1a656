package resources

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestScalar(t *testing.T) {
	for text, tc := range map[string]struct {
		in   float64
		want Scalar
		back float64
	}{
		"exact":             {1.5, 1500, 1.5},
		"rounds down":       {1.2344, 1234, 1.234},
		"rounds up":         {1.2345678, 1235, 1.235},
		"half":              {0.0005, 1, 0.001},
		"too small":         {0.00001, 0, 0},
		"lossy sum":         {0.1 + 0.2, 300, 0.3},
		"negative half":     {-0.0005, -1, -0.001},
		"not a number":      {math.NaN(), 0, 0},
		"infinite":          {math.Inf(1), math.MaxInt64, 9223372036854775.807},
		"infinite negative": {math.Inf(-1), math.MinInt64, -9223372036854775.808},
	} {
		t.Run(text, func(t *testing.T) {
			if got := ScalarOf(tc.in); got != tc.want || got.Float() != tc.back {
				t.Errorf("ScalarOf(%v) = %d, %v", tc.in, got, got.Float())
			}
		})
	}
}

// TestPrecision subtracts and adds small amounts very often: nothing may be lost or gained.
func TestPrecision(t *testing.T) {
	start, step := MustParse("cpus:1.001"), MustParse("cpus:0.001")
	r := start
	for range 1000 {
		r = r.Subtract(step)
	}
	if !r.Equal(step) {
		t.Errorf("1.001 minus 1000 times 0.001 is %s", r)
	}
	for range 1000 {
		r = r.Add(step)
	}
	if !r.Equal(start) {
		t.Errorf("back up it is %s", r)
	}
}

func TestRanges(t *testing.T) {
	const top = math.MaxUint64
	for name, tc := range map[string]struct {
		a, b              Ranges
		sum, difference   string
		containsB, aCount uint64
	}{
		"touching":      {RangesOf(Range{1, 10}), RangesOf(Range{11, 20}), "[1-20]", "[1-10]", 0, 10},
		"inside":        {RangesOf(Range{1, 10}), RangesOf(Range{3, 4}), "[1-10]", "[1-2, 5-10]", 1, 10},
		"across a gap":  {RangesOf(Range{1, 3}, Range{7, 9}), RangesOf(Range{2, 8}), "[1-9]", "[1-1, 9-9]", 0, 6},
		"same":          {RangesOf(Range{1, 3}), RangesOf(Range{1, 3}), "[1-3]", "[]", 1, 3},
		"unsorted":      {RangesOf(Range{7, 9}, Range{1, 3}, Range{2, 5}), nil, "[1-5, 7-9]", "[1-5, 7-9]", 1, 8},
		"several cuts":  {RangesOf(Range{1, 10}), RangesOf(Range{1, 1}, Range{4, 5}, Range{10, 10}), "[1-10]", "[2-3, 6-9]", 1, 10},
		"one cuts many": {RangesOf(Range{1, 2}, Range{4, 5}, Range{7, 8}), RangesOf(Range{2, 7}), "[1-8]", "[1-1, 8-8]", 0, 6},
		"up to the top": {
			RangesOf(Range{5, top}), RangesOf(Range{top, top}), "[5-18446744073709551615]", "[5-18446744073709551614]", 1, top - 4,
		},
		"everything": {RangesOf(Range{0, top}), RangesOf(Range{0, top}), "[0-18446744073709551615]", "[]", 1, top},
		"inverted":   {RangesOf(Range{5, 1}), nil, "[]", "[]", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.Add(tc.b).String(); got != tc.sum {
				t.Errorf("sum %s, want %s", got, tc.sum)
			}
			if got := tc.a.Subtract(tc.b).String(); got != tc.difference {
				t.Errorf("difference %s, want %s", got, tc.difference)
			}
			if got := tc.a.Contains(tc.b); got != (tc.containsB == 1) {
				t.Errorf("contains %v", got)
			}
			if got := tc.a.Count(); got != tc.aCount {
				t.Errorf("count %d, want %d", got, tc.aCount)
			}
		})
	}
}

// disk is a wire disk that tests complete.
func disk(mb float64, info *mesos.Resource_DiskInfo) *mesos.Resource {
	return &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &mb}, Disk: info,
	}
}

func source(t mesos.Resource_DiskInfo_Source_Type, root, id string) *mesos.Resource_DiskInfo {
	s := &mesos.Resource_DiskInfo_Source{Type: t.Enum()}
	switch {
	case root != "" && t == mesos.Resource_DiskInfo_Source_PATH:
		s.Path = &mesos.Resource_DiskInfo_Source_Path{Root: &root}
	case root != "":
		s.Mount = &mesos.Resource_DiskInfo_Source_Mount{Root: &root}
	}
	if id != "" {
		s.Id = &id
	}
	return &mesos.Resource_DiskInfo{Source: s}
}

func volume(id, path string) *mesos.Resource_DiskInfo {
	return &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id},
		Volume:      &mesos.Volume{ContainerPath: &path, Mode: mesos.Volume_RW.Enum()},
	}
}

func TestDisksMergeOnlyWhenDivisible(t *testing.T) {
	const (
		PATH  = mesos.Resource_DiskInfo_Source_PATH
		MOUNT = mesos.Resource_DiskInfo_Source_MOUNT
		BLOCK = mesos.Resource_DiskInfo_Source_BLOCK
		RAW   = mesos.Resource_DiskInfo_Source_RAW
	)
	for name, tc := range map[string]struct {
		a, b         *mesos.Resource_DiskInfo
		merge, chips bool
	}{
		"plain":             {nil, nil, true, true},
		"same path":         {source(PATH, "/d", ""), source(PATH, "/d", ""), true, true},
		"other path":        {source(PATH, "/d", ""), source(PATH, "/e", ""), false, false},
		"mount":             {source(MOUNT, "/d", ""), source(MOUNT, "/d", ""), false, false},
		"block":             {source(BLOCK, "", ""), source(BLOCK, "", ""), false, false},
		"raw without id":    {source(RAW, "", ""), source(RAW, "", ""), true, true},
		"raw with id":       {source(RAW, "", "1"), source(RAW, "", "1"), false, false},
		"volume":            {volume("1", "p"), volume("1", "p"), false, false},
		"volume, other use": {volume("1", "p"), volume("1", "q"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			sum := Of(disk(10, tc.a), disk(10, tc.b))
			if got := sum.Len() == 1; got != tc.merge {
				t.Errorf("%s: merged %v", sum, got)
			}
			if got := Of(disk(10, tc.a)).Contains(Of(disk(4, tc.b))); got != tc.chips {
				t.Errorf("contains a part: %v", got)
			}
			if got := sum.Subtract(Of(disk(10, tc.b))); !got.Equal(Of(disk(10, tc.a))) {
				t.Errorf("after subtraction: %s", got)
			}
		})
	}
}

// TestVolumeUseIsNotIdentity shows that how a task mounts a volume does not make it another one.
func TestVolumeUseIsNotIdentity(t *testing.T) {
	if !Of(disk(10, volume("1", "p"))).Equal(Of(disk(10, volume("1", "q")))) {
		t.Error("the container path changed the identity of a volume")
	}
	if Of(disk(10, volume("1", "p"))).Equal(Of(disk(10, volume("2", "p")))) {
		t.Error("two volumes are the same")
	}
}

func shared(id string, mb float64) *mesos.Resource {
	r := disk(mb, volume(id, "p"))
	r.Shared = &mesos.Resource_SharedInfo{}
	return r
}

func TestSharedCopies(t *testing.T) {
	one := Of(shared("1", 100))
	two := one.Add(one)
	if two.Len() != 1 || two.items[0].Copies() != 2 {
		t.Fatalf("two copies: %s", two)
	}
	if two.Scalar("disk") != 100_000 || two.Quantities().Get("disk") != 100_000 {
		t.Errorf("copies count twice: %s", two.Quantities())
	}
	if one.Contains(two) || !two.Contains(one) || one.Equal(two) {
		t.Error("copies are not compared")
	}
	if got := two.Subtract(one); !got.Equal(one) {
		t.Errorf("two minus one: %s", got)
	}
	if got := two.Subtract(two).Add(one).Subtract(two); !got.IsEmpty() {
		t.Errorf("fewer than none: %s", got)
	}
	if one.Contains(Of(disk(100, volume("1", "p")))) {
		t.Error("shared contains not shared")
	}
	if got := Of(shared("1", 100), shared("1", 50)); got.Len() != 2 {
		t.Errorf("unequal copies merged: %s", got)
	}
	if n := len(two.Proto()); n != 1 {
		t.Errorf("%d messages for a shared volume", n)
	}
}

func TestFilters(t *testing.T) {
	revocable := &mesos.Resource{
		Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(2.0)},
		Revocable: &mesos.Resource_RevocableInfo{},
	}
	r := MustParse("cpus:1;cpus(a):2;cpus(a/b):3;mem(b):4;ports:[1-2]").
		Add(Of(revocable, shared("s", 7), disk(5, volume("v", "p"))))
	for name, tc := range map[string]struct {
		got  Resources
		want string
	}{
		"reserved":           {r.Reserved(), "cpus(reservations: [(STATIC,a)]):2; cpus(reservations: [(STATIC,a/b)]):3; mem(reservations: [(STATIC,b)]):4"},
		"reserved for a":     {r.ReservedFor("a"), "cpus(reservations: [(STATIC,a)]):2"},
		"below a":            {r.ReservedInSubtree("a"), "cpus(reservations: [(STATIC,a)]):2; cpus(reservations: [(STATIC,a/b)]):3"},
		"allocatable to a/b": {r.NonShared().AllocatableTo("a/b").NonRevocable(), "cpus:1; cpus(reservations: [(STATIC,a)]):2; cpus(reservations: [(STATIC,a/b)]):3; ports:[1-2]; disk[v:p]:5"},
		"allocatable to *":   {r.AllocatableTo("*").Named("cpus"), "cpus:1; cpus{REV}:2"},
		"unreserved":         {r.Unreserved(), "cpus:1; ports:[1-2]; cpus{REV}:2; disk[s:p]<SHARED>:7; disk[v:p]:5"},
		"revocable":          {r.Revocable(), "cpus{REV}:2"},
		"shared":             {r.Shared(), "disk[s:p]<SHARED>:7"},
		"volumes":            {r.PersistentVolumes(), "disk[s:p]<SHARED>:7; disk[v:p]:5"},
		"scalars":            {r.Unreserved().Scalars(), "cpus:1; cpus{REV}:2; disk[s:p]<SHARED>:7; disk[v:p]:5"},
		"by reservation":     {r.ByReservation()["b"], "mem(reservations: [(STATIC,b)]):4"},
		"by allocation":      {r.Allocate("x").ByAllocation()["x"].Named("mem"), "mem(allocated: x)(reservations: [(STATIC,b)]):4"},
		"none":               {r.Named("gpus"), "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"cpus", "disk", "mem", "ports"}, r.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestQuantities(t *testing.T) {
	q := MustParse("cpus:1.5;cpus(a):2;mem:10;ports:[1-2];s:{a,b}").Quantities()
	if got := q.String(); got != "cpus:3.5; mem:10" {
		t.Errorf("quantities %s", got)
	}
	o := QuantitiesOf(Quantity{"mem", 10_000}, Quantity{"gpus", 1000}, Quantity{"x", 0}, Quantity{"y", -5})
	if got := q.Add(o).String(); got != "cpus:3.5; gpus:1; mem:20" {
		t.Errorf("sum %s", got)
	}
	if got := q.Subtract(o).String(); got != "cpus:3.5" {
		t.Errorf("difference %s", got)
	}
	if q.Contains(o) || !q.Add(o).Contains(o) || !q.Contains(nil) {
		t.Error("Contains is wrong")
	}
	r := MustParse("cpus:1;ports:[1-5];s:{a,b}")
	for text, want := range map[string]bool{"cpus:1": true, "cpus:1.001": false, "ports:5": true, "ports:6": false, "s:2": true, "s:3": false} {
		if got := r.ContainsQuantities(MustParse(text).Quantities()); got != want {
			t.Errorf("%s contains quantity %s: %v", r, text, got)
		}
	}
	l := LimitsOf(Quantity{"cpus", 2000}, Quantity{"gpus", 0})
	if !l.Allows(QuantitiesOf(Quantity{"cpus", 2000}, Quantity{"mem", 1})) || l.Allows(QuantitiesOf(Quantity{"gpus", 1})) {
		t.Error("limits are wrong")
	}
}

func TestPushReservationRefuses(t *testing.T) {
	dynamic := func(role string) *mesos.Resource_ReservationInfo {
		return &mesos.Resource_ReservationInfo{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role}
	}
	static := func(role string) *mesos.Resource_ReservationInfo {
		return &mesos.Resource_ReservationInfo{Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: &role}
	}
	for name, tc := range map[string]struct {
		on   string
		push *mesos.Resource_ReservationInfo
		ok   bool
	}{
		"first":         {"cpus:1", dynamic("a"), true},
		"refinement":    {"cpus(a):1", dynamic("a/b"), true},
		"same role":     {"cpus(a):1", dynamic("a"), false},
		"other role":    {"cpus(a):1", dynamic("b/c"), false},
		"static second": {"cpus(a):1", static("a/b"), false},
		"default role":  {"cpus:1", dynamic("*"), false},
		"no type":       {"cpus:1", &mesos.Resource_ReservationInfo{Role: new("a")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := MustParse(tc.on).PushReservation(tc.push)
			if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := MustParse("cpus:1").PopReservation(); !errors.Is(err, ErrInvalid) {
		t.Errorf("popping nothing: %v", err)
	}
}

func TestShrink(t *testing.T) {
	for name, tc := range map[string]struct {
		of    Resources
		limit Scalar
		want  string
		ok    bool
	}{
		"fits":        {MustParse("cpus:1"), 1000, "cpus:1", true},
		"chopped":     {MustParse("cpus:2.5"), 1001, "cpus:1.001", true},
		"mount":       {Of(disk(10, source(mesos.Resource_DiskInfo_Source_MOUNT, "/m", ""))), 5000, "", false},
		"whole mount": {Of(disk(10, source(mesos.Resource_DiskInfo_Source_MOUNT, "/m", ""))), 10_000, "disk[MOUNT:/m]:10", true},
		"volume":      {Of(disk(10, volume("1", "p"))), 5000, "", false},
		"ports":       {MustParse("ports:[1-2]"), 5000, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := tc.of.items[0].Shrink(tc.limit)
			if ok != tc.ok || ok && got.String() != tc.want {
				t.Errorf("%s, %v", got, ok)
			}
		})
	}
	scalars, others := MustParse("cpus:1;ports:[1-2];mem:3").Partition(func(it Item) bool { return it.Type() == mesos.Value_SCALAR })
	if scalars.String() != "cpus:1; mem:3" || others.String() != "ports:[1-2]" {
		t.Errorf("partition: %s, %s", scalars, others)
	}
}
