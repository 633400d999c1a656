package resources

import (
	"strings"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// agent is a node of 24 cpus whose ports are in 16 pieces.
func agent() Resources {
	var ports []string
	for i := range 16 {
		begin := 31000 + 60*i
		ports = append(ports, Range{uint64(begin), uint64(begin + 40)}.text())
	}
	return MustParse("cpus:24;mem:131072;disk:1048576;gpus:2;ports:[" + strings.Join(ports, ",") + "]")
}

func (r Range) text() string { return strings.Trim(Ranges{r}.String(), "[]") }

func BenchmarkNew(b *testing.B) {
	rs := agent().Proto()
	b.ReportAllocs()
	for b.Loop() {
		Of(rs...)
	}
}

func BenchmarkProto(b *testing.B) {
	r := agent()
	b.ReportAllocs()
	for b.Loop() {
		r.Proto()
	}
}

func BenchmarkAllocate(b *testing.B) {
	r := agent()
	b.ReportAllocs()
	for b.Loop() {
		r.Allocate("web")
	}
}

func BenchmarkAddSubtract(b *testing.B) {
	r, task := agent(), MustParse("cpus:0.1;mem:32;ports:[31000-31001]")
	b.ReportAllocs()
	for b.Loop() {
		r.Subtract(task).Add(task)
	}
}

func BenchmarkContains(b *testing.B) {
	r, task := agent(), MustParse("cpus:0.1;mem:32;ports:[31000-31001]")
	b.ReportAllocs()
	for b.Loop() {
		if !r.Contains(task) {
			b.Fatal("too small")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("cpus:4;mem:1024;ports:[31000-32000];cpus(web):1;set:{a,b}", "*"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReservedWithLabels(b *testing.B) {
	labels := &mesos.Labels{}
	for _, k := range []string{"a", "b", "c", "d"} {
		labels.Labels = append(labels.Labels, &mesos.Label{Key: new(k), Value: new("value")})
	}
	r, err := agent().PushReservation(&mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("web"), Labels: labels,
	})
	if err != nil {
		b.Fatal(err)
	}
	rs := r.Proto()
	b.ReportAllocs()
	for b.Loop() {
		Of(rs...)
	}
}
