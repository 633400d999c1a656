package httpapi

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// The forms that are kept beside records. JSON forms begin with a comma and
// protobuf ones with tag and length, so that they are elements of a list as
// they are.
const (
	formV0 state.Form = iota
	// formFull is an agent as /slaves shows it.
	formFull
	formJSON
	formProtobuf
)

// body is a long answer as a list of pieces: text of its own, and encodings
// that are kept beside records. Putting one together costs a pointer per record,
// and two bodies share what did not change between them. Once complete it
// doesn't change, and any number of requests may send it at one time.
//
// JSON is written like elsewhere in this package, members and elements with a
// comma before each; open and close do what mesosjson.CloseObject and CloseList
// do.
type body struct {
	pieces [][]byte
	text   []byte
	sealed int // of text is in pieces
	size   int // of pieces
	opened byte
	// lane is where the body is put together and sent, block by block.
	lane *lane.Lane
	// taken counts what was appended in this turn.
	taken int

	packing sync.Once
	packed  []byte
}

// textBlock is how much text is in one allocation: growing a long text would
// copy all of it again and again.
const textBlock = 64 << 10

// write appends text.
func (b *body) write(f func([]byte) []byte) {
	if len(b.text) > textBlock*3/4 {
		b.seal()
		b.text, b.sealed = make([]byte, 0, textBlock), 0
	}
	start := len(b.text)
	if b.text = f(b.text); b.opened != 0 && len(b.text) > start {
		b.text[start], b.opened = b.opened, 0
	}
}

// member begins a member; its value follows.
func (b *body) member(name string) {
	b.write(func(text []byte) []byte { return key(text, name) })
}

// open begins an object or a list by '{' or '['.
func (b *body) open(bracket byte) { b.opened = bracket }

// close ends an object or a list.
func (b *body) close(bracket byte) {
	if b.opened != 0 {
		b.text = append(b.text, b.opened)
		b.opened = 0
	}
	b.text = append(b.text, bracket)
}

// keep appends an element that must not be changed any more.
func (b *body) keep(element []byte) {
	if b.opened != 0 {
		b.text = append(b.text, b.opened)
		b.opened = 0
		element = element[1:]
	}
	b.seal()
	b.append(element)
}

// nest appends another body as a field of a protobuf message.
func (b *body) nest(field protowire.Number, inner *body) {
	inner.seal()
	b.text = protowire.AppendTag(b.text, field, protowire.BytesType)
	b.text = protowire.AppendVarint(b.text, uint64(inner.size))
	b.seal()
	b.pieces = append(b.pieces, inner.pieces...)
	b.size += inner.size
}

// seal puts the text so far into pieces.
func (b *body) seal() {
	if len(b.text) > b.sealed {
		piece := b.text[b.sealed:len(b.text):len(b.text)]
		b.sealed = len(b.text)
		b.append(piece)
	}
}

func (b *body) append(piece []byte) {
	b.pieces = append(b.pieces, piece)
	b.size += len(piece)
}

// turn is how many records whoever puts an answer together takes in one turn of
// the lane: about a quarter of a millisecond of pointers.
const turn = 2048

// step counts a record.
func (b *body) step() {
	if b.taken++; b.taken == turn {
		b.taken = 0
		b.lane.Pass()
	}
}

// reader returns what sends the body.
func (b *body) reader() *bodyReader { return &bodyReader{pieces: b.pieces} }

// bodyReader reads a body. It is an httpserver.InMemory.
type bodyReader struct {
	pieces [][]byte
	at     int // of pieces[0]
}

// InMemory implements httpserver.InMemory.
func (r *bodyReader) InMemory() {}

// Read implements io.Reader: it fills p.
func (r *bodyReader) Read(p []byte) (n int, err error) {
	for len(r.pieces) > 0 && n < len(p) {
		m := copy(p[n:], r.pieces[0][r.at:])
		n += m
		if r.at += m; r.at == len(r.pieces[0]) {
			r.pieces, r.at = r.pieces[1:], 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// bytes returns all of it in one piece.
func (b *body) bytes() []byte {
	out := make([]byte, 0, b.size)
	for _, piece := range b.pieces {
		out = append(out, piece...)
	}
	return out
}

// compressed returns it compressed, which is done once for all requests.
func (b *body) compressed() []byte {
	b.packing.Do(func() {
		var out packer
		w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // fails for unknown levels only
		block := make([]byte, packBlock)
		r := b.reader()
		b.lane.Enter()
		defer b.lane.Leave()
		for n, err := r.Read(block); err == nil; n, err = r.Read(block) {
			_, _ = w.Write(block[:n]) // memory takes all
			b.lane.Pass()
		}
		_ = w.Close()
		b.packed = out
	})
	return b.packed
}

// packBlock is how much is compressed in one turn.
const packBlock = 32 << 10

// packer is a buffer.
type packer []byte

func (p *packer) Write(b []byte) (int, error) {
	*p = append(*p, b...)
	return len(b), nil
}

// send writes the answer. What is long is compressed here, once for all, and not
// by the server's middleware for each.
func (b *body) send(w http.ResponseWriter, r *http.Request, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	out := b
	if b.size >= shareCompressed && httpserver.AcceptsGzip(r) && !r.URL.Query().Has("jsonp") && r.Method != http.MethodHead {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		packed := b.compressed()
		out = &body{pieces: [][]byte{packed}, size: len(packed)}
	}
	h.Set("Content-Length", strconv.Itoa(out.size))
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, out.reader()) // an error means that the client is gone
}

// shareCompressed is the length from which a compressed answer is kept for
// others that want it: shorter ones are compressed in no time.
const shareCompressed = 64 << 10
