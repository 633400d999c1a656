package recordio

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestReader(t *testing.T) {
	tests := map[string]struct {
		stream string
		want   []string
		err    error
	}{
		"empty stream":             {stream: "", err: io.EOF},
		"two records":              {stream: "3\nabc5\n{}\n{}", want: []string{"abc", "{}\n{}"}, err: io.EOF},
		"empty record":             {stream: "0\n1\nx", want: []string{"", "x"}, err: io.EOF},
		"cut in the length":        {stream: "12", err: io.ErrUnexpectedEOF},
		"cut in the record":        {stream: "3\nab", err: io.ErrUnexpectedEOF},
		"no length":                {stream: "\nabc", err: ErrMalformed},
		"a sign":                   {stream: "-1\nabc", err: ErrMalformed},
		"letters":                  {stream: "3\nabcGET / HTTP/1.1", want: []string{"abc"}, err: ErrMalformed},
		"over the limit":           {stream: "101\n" + strings.Repeat("x", 101), err: ErrTooLarge},
		"at the limit":             {stream: "100\n" + strings.Repeat("x", 100), want: []string{strings.Repeat("x", 100)}, err: io.EOF},
		"a length that never ends": {stream: strings.Repeat("0", 1000), err: ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for way, in := range map[string]io.Reader{
				"at once":      strings.NewReader(test.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(test.stream)),
			} {
				var got []string
				r := NewReader(in, 100)
				record, err := r.Next()
				for ; err == nil; record, err = r.Next() {
					got = append(got, string(record))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s: records (-want +got):\n%s", way, diff)
				}
				if !errors.Is(err, test.err) {
					t.Errorf("%s: error %v, want %v", way, err, test.err)
				}
				if _, again := r.Next(); again != err {
					t.Errorf("%s: the error did not stick: %v, then %v", way, err, again)
				}
			}
		})
	}
}

// A peer that announces a huge record and sends nothing must not cost its size in memory.
func TestReaderAllocatesWhatArrives(t *testing.T) {
	r := NewReader(strings.NewReader("1000000000\nabc"), 1<<30)
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("error %v", err)
	}
	if cap(r.buf) > 2*growStep {
		t.Errorf("%d bytes allocated for a record of which 3 arrived", cap(r.buf))
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("3\nabc0\n"))
	f.Add([]byte("99999999999999999999\n"))
	f.Add([]byte("1\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream), 1<<16)
		var again []byte
		for {
			record, err := r.Next()
			if err != nil {
				break
			}
			again = AppendRecord(again, record)
		}
		// What was read writes back as records that read the same.
		r, r2 := NewReader(bytes.NewReader(again), 1<<16), NewReader(bytes.NewReader(stream), 1<<16)
		for {
			a, err := r.Next()
			if err != nil {
				break
			}
			b, err := r2.Next()
			if err != nil || !bytes.Equal(a, b) {
				t.Fatalf("record %q became %q (%v)", b, a, err)
			}
		}
	})
}

// Chunks are read by an HTTP client as the records that they hold.
func TestChunks(t *testing.T) {
	var chunks, records []byte
	for _, payload := range []string{"a", "", strings.Repeat("x", 1000), "4\n\r\n"} {
		chunk := AppendChunk(nil, []byte(payload))
		record := AppendRecord(nil, []byte(payload))
		if got := OfChunk(chunk); string(got) != string(record) {
			t.Errorf("the record of %q is %q, want %q", chunk, got, record)
		}
		chunks, records = append(chunks, chunk...), append(records, record...)
	}
	got, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(string(chunks) + "0\r\n\r\n")))
	if err != nil || string(got) != string(records) {
		t.Errorf("%v: got %q, want %q", err, got, records)
	}
}
