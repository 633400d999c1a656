package scheduler

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// known are the shapes of recorded events, by type: what a client of Mesos 1.11
// has seen.
func known(t *testing.T, file string) map[string]testbed.Shape {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	byType := map[string][]string{}
	for _, e := range testbed.MustParse(t, data).At("events").List() {
		byType[e.At("type").Text()] = append(byType[e.At("type").Text()], e.String())
	}
	shapes := map[string]testbed.Shape{}
	for kind, events := range byType {
		shapes[kind] = shapeOf(t, events)
	}
	return shapes
}

func shapeOf(t *testing.T, events []string) testbed.Shape {
	t.Helper()
	return testbed.ShapeOf(testbed.MustParse(t, []byte("["+strings.Join(events, ",")+"]")))
}

// checkShapes holds events against recorded ones: some clients fail on a member
// or a type that they don't know. What is only in the recorded ones depends on
// the cluster they are from.
func checkShapes(t *testing.T, file string, events []testbed.Value, extra ...string) {
	t.Helper()
	shapes := known(t, file)
	seen := map[string]bool{}
	for _, e := range events {
		kind := e.At("type").Text()
		want, ok := shapes[kind]
		if !ok {
			t.Errorf("event %v is of a type that was not recorded", e)
			continue
		}
		seen[kind] = true
		for _, d := range shapeOf(t, []string{e.String()}).Differences(want, extra...) {
			if !strings.HasPrefix(d, "missing") {
				t.Errorf("%s: %s", kind, d)
			}
		}
	}
	for _, kind := range []string{"SUBSCRIBED", "HEARTBEAT", "OFFERS", "UPDATE"} {
		if !seen[kind] {
			t.Errorf("no %s event", kind)
		}
	}
}
