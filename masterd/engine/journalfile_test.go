package engine

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/memfile"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// journalFiles counts the files of all journals of this process.
func journalFiles(t *testing.T) (n int) {
	t.Helper()
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range descriptors {
		if name, err := os.Readlink(d); err == nil && strings.Contains(name, journalFile) {
			n++
		}
	}
	return n
}

func filesOrSkip(t *testing.T) {
	t.Helper()
	f, err := memfile.Create(journalFile)
	if err != nil {
		t.Skip(err)
	}
	f.Close()
}

// sent is a Batch as it arrives at a socket.
func sent(t *rapid.T, b Batch) []byte {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	go func() {
		defer to.Close()
		offset, left := b.Offset, len(b.Chunks)
		for left > 0 {
			n, err := b.File.Send(to.Fd(), offset, left) // Fd makes it wait
			if n == 0 || err != nil {
				return
			}
			offset, left = offset+int64(n), left-n
		}
	}()
	got, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestJournalFiles has readers of any speed take events from the files: each gets
// all in a row from where it began.
func TestJournalFiles(t *testing.T) {
	filesOrSkip(t)
	rapid.Check(t, func(r *rapid.T) {
		j := newJournal(rapid.IntRange(1, 5000).Draw(r, "most"))
		defer func() {
			for _, s := range j.segments {
				s.forget()
			}
		}()
		written := 0
		var readers [3]uint64
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "write") {
				for range rapid.IntRange(1, 3000).Draw(r, "events") {
					j.add(state.Publish{Event: &mesosmaster.Event{}}, fmt.Appendf(nil, "%d:%s", written, strings.Repeat("x", written%700)))
					written++
				}
				continue
			}
			i := rapid.IntRange(0, len(readers)-1).Draw(r, "reader")
			batch, ok := j.read(readers[i])
			if !ok {
				readers[i] = j.end() // it is dropped, and subscribes again
				continue
			}
			if batch.Len() > 0 && batch.File == nil {
				r.Fatal("a segment without a file")
			}
			if batch.Len() > 0 && !bytes.Equal(sent(r, batch), batch.Chunks) {
				r.Fatalf("the file has other bytes from event %d on than memory", readers[i])
			}
			for _, record := range batch.All() {
				if want := fmt.Sprintf("\n%d:", readers[i]); !bytes.Contains(record, []byte(want)) {
					r.Fatalf("the record is %.20q, want that of event %d", record, readers[i])
				}
				readers[i]++
			}
		}
	})
}

// TestForgottenSegmentsGiveTheirFilesBack counts descriptors.
func TestForgottenSegmentsGiveTheirFilesBack(t *testing.T) {
	filesOrSkip(t)
	before := journalFiles(t)
	func() {
		j := newJournal(1)
		payload := bytes.Repeat([]byte("x"), segmentBytes/4)
		for range 200 { // some fifty segments
			j.add(state.Publish{Event: &mesosmaster.Event{}}, payload)
			if n := journalFiles(t) - before; n > len(j.segments) {
				t.Fatalf("%d files of %d segments", n, len(j.segments))
			}
		}
		old := j.segments[0]
		j.add(state.Publish{Event: &mesosmaster.Event{}}, bytes.Repeat(payload, 4))
		j.add(state.Publish{Event: &mesosmaster.Event{}}, bytes.Repeat(payload, 4))
		if _, err := old.file.Send(0, 0, 1); err == nil {
			t.Error("a forgotten segment can be sent")
		}
		runtime.KeepAlive(j)
	}()
	for begin := time.Now(); journalFiles(t) > before; time.Sleep(10 * time.Millisecond) {
		runtime.GC() // whoever drops the journal drops its files
		if time.Since(begin) > time.Minute {
			t.Fatalf("%d files are left of a journal that nobody has", journalFiles(t)-before)
		}
	}
}

// TestAJournalGoesOnWithoutItsFile: then all is sent from memory.
func TestAJournalGoesOnWithoutItsFile(t *testing.T) {
	filesOrSkip(t)
	j := newJournal(100)
	j.add(state.Publish{Event: &mesosmaster.Event{}}, []byte("first"))
	j.segments[0].file.Close() // as if it took no more
	j.add(state.Publish{Event: &mesosmaster.Event{}}, []byte("second"))
	batch, ok := j.read(0)
	if !ok || batch.Len() != 2 || batch.File != nil || !bytes.Contains(batch.Chunks, []byte("second")) {
		t.Errorf("read %d events, %v, from %v: %q", batch.Len(), ok, batch.File, batch.Chunks)
	}
}
