package engine

import (
	"iter"
	"slices"
	"sync"

	"github.com/mesos-operator/mesos-operator/internal/memfile"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// What one segment of a journal holds: enough for few large writes and few
// files, little enough that a reader who hangs in one keeps little.
const (
	segmentBytes  = 1 << 20
	segmentEvents = 2048
	// maxJournalBytes bounds a journal if events are large.
	maxJournalBytes = 64 << 20
	// journalFile is what an operator sees of a segment in /proc/<pid>/fd.
	journalFile = "masterd-events"
)

// journal is the last events in one encoding, for all subscribers that want it.
// Each of them just knows how far it has read: an event costs the same however
// many there are, and one who doesn't read costs nothing, as he is behind what
// the journal still has at some time. Its bytes are in files in memory, too, from
// which they get to many connections without a copy for each.
type journal struct {
	max uint64 // events

	mu       sync.Mutex
	segments []*segment // oldest first
	bytes    int
	next     uint64 // the number of the next event
}

// segment is some events in a row. What was written of it doesn't change, and
// is read while more is added behind.
type segment struct {
	first  uint64 // the number of the first event
	data   []byte // chunks, see recordio.AppendChunk
	events []entry
	file   *memfile.File // has data, too; nil if there is none
}

// store keeps a chunk in memory and in the file. If the file takes no more, all
// goes on without it, at the price of a copy for each reader.
func (s *segment) store(chunk []byte) {
	s.data = append(s.data, chunk...)
	if s.file != nil && s.file.Append(chunk) != nil {
		s.file = nil // others may still send what it has
	}
}

// forget gives the file back. Who still sends from it goes on from memory.
func (s *segment) forget() {
	if s.file != nil {
		s.file.Close()
	}
}

// entry is an event and where its chunk ends.
type entry struct {
	event state.Publish
	end   int
}

func newJournal(most int) *journal { return &journal{max: uint64(most)} }

// add appends an event.
func (j *journal) add(event state.Publish, payload []byte) {
	chunk := recordio.AppendChunk(make([]byte, 0, len(payload)+32), payload)
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.room(len(chunk))
	s.store(chunk)
	s.events = append(s.events, entry{event, len(s.data)})
	j.bytes += len(chunk)
	j.next++
	for len(j.segments) > 1 && (j.next-j.segments[1].first >= j.max || j.bytes > maxJournalBytes) {
		j.bytes -= len(j.segments[0].data)
		j.segments[0].forget()
		j.segments = slices.Delete(j.segments, 0, 1)
	}
}

// room returns a segment that takes so many bytes without being copied.
func (j *journal) room(bytes int) *segment {
	if n := len(j.segments); n > 0 {
		s := j.segments[n-1]
		if len(s.events) < cap(s.events) && cap(s.data)-len(s.data) >= bytes {
			return s
		}
	}
	s := &segment{
		first:  j.next,
		data:   make([]byte, 0, max(segmentBytes, bytes)),
		events: make([]entry, 0, segmentEvents),
	}
	s.file, _ = memfile.Create(journalFile) // the system may have none to give
	j.segments = append(j.segments, s)
	return s
}

// end is the number of the next event.
func (j *journal) end() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next
}

// holds says whether all events from a number on are still there.
func (j *journal) holds(from uint64) bool {
	return from == j.next || j.next-from <= j.max && from >= j.segments[0].first
}

// forgot is whether there is something to read that isn't there any more.
func (j *journal) forgot(from uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.holds(from)
}

// read returns events from a number on, not all that there are. ok is false if
// that event is too long ago.
func (j *journal) read(from uint64) (b Batch, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.holds(from) {
		return Batch{}, false
	}
	if from == j.next {
		return Batch{}, true
	}
	i, found := slices.BinarySearchFunc(j.segments, from, func(s *segment, n uint64) int {
		switch {
		case s.first+uint64(len(s.events)) <= n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if !found {
		return Batch{}, false
	}
	s := j.segments[i]
	return s.from(int(from - s.first)), true
}

func (s *segment) from(n int) Batch {
	start := 0
	if n > 0 {
		start = s.events[n-1].end
	}
	return Batch{
		Chunks:  s.data[start:len(s.data):len(s.data)],
		File:    s.file,
		Offset:  int64(start),
		entries: s.events[n:len(s.events):len(s.events)],
	}
}

// Batch is some events in a row, which other subscribers read, too: it must not
// be changed.
type Batch struct {
	// Chunks is all of them as HTTP/1.1 chunks, one for each event, to be
	// written to a connection as they are.
	Chunks []byte
	// File has the Chunks from Offset on, so that they can be sent without a
	// copy; nil if there is none. It is closed when the journal has forgotten
	// them.
	File   *memfile.File
	Offset int64

	entries []entry
}

// Len is the number of events.
func (b Batch) Len() int { return len(b.entries) }

// All yields each event with its record, for those who can't write chunks or
// may not see everything.
func (b Batch) All() iter.Seq2[state.Publish, []byte] {
	return func(yield func(state.Publish, []byte) bool) {
		at := 0
		for _, e := range b.entries {
			end := e.end - int(b.Offset)
			if !yield(e.event, recordio.OfChunk(b.Chunks[at:end])) {
				return
			}
			at = end
		}
	}
}
