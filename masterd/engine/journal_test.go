package engine

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// TestJournal has readers read at their own pace: each gets every event once and
// in order, or learns that it is too far behind; and the journal stays bounded.
func TestJournal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 2000).Draw(t, "most")
		j := newJournal(most)
		var written []string
		var readers [3]int
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "write") {
				for range rapid.IntRange(1, 700).Draw(t, "events") {
					text := fmt.Sprint(len(written))
					if len(written)%500 == 3 {
						text += strings.Repeat("x", segmentBytes) // larger than a segment
					}
					j.add(state.Publish{Event: &mesosmaster.Event{}}, []byte(text))
					written = append(written, text)
				}
				continue
			}
			r := rapid.IntRange(0, len(readers)-1).Draw(t, "reader")
			batch, ok := j.read(uint64(readers[r]))
			if behind := len(written) - readers[r]; !ok {
				if behind <= most {
					t.Fatalf("a reader is refused that is %d of %d events behind", behind, most)
				}
				readers[r] = len(written)
				continue
			}
			if batch.Len() == 0 && readers[r] < len(written) {
				t.Fatal("there is something to read")
			}
			for _, record := range batch.All() {
				if want := string(recordio.AppendRecord(nil, []byte(written[readers[r]]))); string(record) != want {
					t.Fatalf("record %d is %.40q, want %.40q", readers[r], record, want)
				}
				readers[r]++
			}
		}
		held := 0
		for _, s := range j.segments {
			held += len(s.events)
		}
		if held > most+2*segmentEvents && len(j.segments) > 1 {
			t.Fatalf("the journal holds %d events, %d are wanted", held, most)
		}
	})
}

// BenchmarkJournal is what an event costs the hub, however many read it.
func BenchmarkJournal(b *testing.B) {
	j := newJournal(1 << 16)
	event, payload := state.Publish{Event: &mesosmaster.Event{}}, []byte(strings.Repeat("x", 500))
	b.ReportAllocs()
	for b.Loop() {
		j.add(event, payload)
	}
}
