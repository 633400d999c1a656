package resources

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// FuzzWire feeds the algebra with whatever is a valid message: it must neither panic nor lose anything.
func FuzzWire(f *testing.F) {
	for _, text := range []string{"cpus:4;mem:1024;ports:[31000-32000];cpus(web):1;set:{a,b}", "disk(a):10"} {
		data, err := proto.Marshal(&mesos.Request{Resources: MustParse(text).Allocate("web").Proto()})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	data, err := proto.Marshal(&mesos.Request{Resources: []*mesos.Resource{shared("s", 5), disk(5, volume("v", "p")), disk(9, nil)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m mesos.Request
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		r := Of(m.GetResources()...)
		if _, err := New(m.GetResources()); err == nil {
			Upgrade(m.GetResources())
			if !Of(m.GetResources()...).Equal(r) {
				t.Errorf("upgrading changed %s", r)
			}
			if old, err := Downgrade(m.GetResources()); err == nil && !Of(old...).Equal(r) {
				t.Errorf("downgrading changed %s to %s", r, Of(old...))
			}
		}
		if again := Of(r.Proto()...); !again.Equal(singles(r)) {
			t.Errorf("%s reads back as %s", r, again)
		}
		if !r.Subtract(r).IsEmpty() || !r.Add(r).Contains(r) || !r.Allocate("x").Unallocate().ToUnreserved().IsEmpty() && r.IsEmpty() {
			t.Errorf("%s does not calculate", r)
		}
		r.AppendStateJSON(nil)
	})
}
