package libprocess

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// genuine is what libmesos 1.11 writes for a message: header by header.
func genuine(to, name, from, host, body string) string {
	s := "POST /" + to + "/" + name + " HTTP/1.1\r\n" +
		"User-Agent: libprocess/" + from + "\r\n" +
		"Libprocess-From: " + from + "\r\n" +
		"Connection: Keep-Alive\r\n" +
		"Host: " + host + "\r\n"
	if body == "" {
		return s + "\r\n"
	}
	return s + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func TestRequestIsTheGenuineOne(t *testing.T) {
	from := PID{"master", Address{"10.0.0.1", 5050}}
	to := PID{"slave(1)", Address{"10.0.0.2", 5051}}
	for _, body := range []string{"", "some body of 26 characters"} {
		got := string(appendRequest(nil, outgoing{from: from, to: to, name: "mesos.internal.X", body: []byte(body)}))
		want := genuine("slave(1)", "mesos.internal.X", "master@10.0.0.1:5050", "10.0.0.2:5051", body)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRequestIsHTTP(t *testing.T) {
	out := outgoing{
		from: PID{"m", Address{"::1", 5050}}, to: PID{"a b/c?d", Address{"::1", 5051}},
		name: "N", body: []byte("body"),
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(appendRequest(nil, out))))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "body" {
		t.Errorf("body %q, %v", body, err)
	}
	if r.URL.Path != "/a b/c?d/N" || r.Host != "[::1]:5051" || r.Header.Get("Libprocess-From") != "m@[::1]:5050" {
		t.Errorf("got %v %q %v", r.URL, r.Host, r.Header)
	}
}

// readAllMessages is the inbound side over bytes instead of a connection.
func readAllMessages(src io.Reader, limit int) ([]Message, error) {
	n := &Node{cfg: Config{MaxHeaderBytes: 4096, MaxMessageBytes: limit, MaxReceivingBytes: 1 << 20}}
	c := &inbound{node: n, reader: reader{src: src, limit: n.cfg.MaxHeaderBytes}}
	var all []Message
	for {
		b := &body{limit: limit, total: &n.receiving, maxTotal: n.cfg.MaxReceivingBytes}
		m, again, err := c.next(b)
		b.release()
		if err != nil {
			if sum := n.receiving.Load(); sum != 0 {
				err = errors.Join(err, fmt.Errorf("%d bytes still counted", sum))
			}
			return all, err
		}
		all = append(all, m)
		if !again {
			return all, nil
		}
	}
}

func TestReadMessages(t *testing.T) {
	const ua = "User-Agent: libprocess/s@10.0.0.9:1\r\n"
	from := PID{"s", Address{"10.0.0.9", 1}}
	m := func(name, body string) Message {
		return Message{Name: name, From: from, To: PID{ID: "master"}, Body: []byte(body)}
	}
	for name, tc := range map[string]struct {
		raw  string
		want []Message
		err  error // of what follows the messages; nil: the sender wants no more
	}{
		"genuine, pipelined": {
			raw:  genuine("master", "A", "s@10.0.0.9:1", "h", "1") + genuine("master", "B", "s@10.0.0.9:1", "h", "") + genuine("master", "C", "s@10.0.0.9:1", "h", "3"),
			want: []Message{m("A", "1"), m("B", ""), m("C", "3")}, err: io.EOF,
		},
		"length": {
			raw:  "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 3\r\n\r\nabcPOST /master/B HTTP/1.1\r\n" + ua + "\r\n",
			want: []Message{m("A", "abc"), m("B", "")}, err: io.EOF,
		},
		"HTTP/1.0 with keep-alive, of old versions": {
			raw:  "POST /master/A HTTP/1.0\r\n" + ua + "Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
			want: []Message{m("A", "a")}, err: io.EOF,
		},
		"HTTP/1.0":         {raw: "POST /master/A HTTP/1.0\r\n" + ua + "\r\n", want: []Message{m("A", "")}},
		"close":            {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Connection: close\r\n\r\nPOST", want: []Message{m("A", "")}},
		"several chunks":   {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n", want: []Message{m("A", "abc0123456789")}, err: io.EOF},
		"bare line feeds":  {raw: "POST /master/A HTTP/1.1\n" + strings.ReplaceAll(ua, "\r", "") + "Content-Length: 1\n\na", want: []Message{m("A", "a")}, err: io.EOF},
		"encoded ID":       {raw: "POST /m%61ster/A HTTP/1.1\r\n" + ua + "\r\n", want: []Message{m("A", "")}, err: io.EOF},
		"From wins":        {raw: "POST /master/A HTTP/1.1\r\nUser-Agent: libprocess/x@10.0.0.1:2\r\nLibprocess-From:  s@10.0.0.9:1 \r\n\r\n", want: []Message{m("A", "")}, err: io.EOF},
		"then HTTP":        {raw: "POST /master/A HTTP/1.1\r\n" + ua + "\r\nGET / HTTP/1.1\r\n\r\n", want: []Message{m("A", "")}, err: errNotMessage},
		"only From":        {raw: "POST /master/A HTTP/1.1\r\nLibprocess-From: s@10.0.0.9:1\r\n\r\n", err: errNotMessage},
		"another client":   {raw: "POST /master/A HTTP/1.1\r\nUser-Agent: curl/8 libprocess/s@1.1.1.1:1\r\n\r\n", err: errNotMessage},
		"GET":              {raw: "GET /master/A HTTP/1.1\r\n" + ua + "\r\n", err: errNotMessage},
		"no HTTP":          {raw: "\x00\x01\x02", err: errNotMessage},
		"endless headers":  {raw: "POST /master/A HTTP/1.1\r\nX: " + strings.Repeat("x", 5000), err: errNotMessage},
		"cut in headers":   {raw: "POST /master/A HTTP/1.1\r\nUser-A", err: io.ErrUnexpectedEOF},
		"cut in body":      {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 9\r\n\r\nabc", err: io.ErrUnexpectedEOF},
		"cut in chunk":     {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", err: io.ErrUnexpectedEOF},
		"cut after chunk":  {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", err: io.ErrUnexpectedEOF},
		"chunk too long":   {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", err: ErrBadMessage},
		"bad chunk size":   {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", err: ErrBadMessage},
		"endless size":     {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000), err: ErrTooLarge},
		"endless trailers": {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 5000), err: ErrTooLarge},
		"large body":       {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 1001\r\n\r\n", err: ErrTooLarge},
		"huge length":      {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 4611686018427387903\r\n\r\n", err: ErrTooLarge},
		"large chunks":     {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3E8\r\n", err: ErrTooLarge},
		"huge chunk":       {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3fffffffffffffff\r\n", err: ErrTooLarge},
		"two lengths":      {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", err: ErrBadMessage},
		"length, chunked":  {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", err: ErrBadMessage},
		"gzip encoding":    {raw: "POST /master/A HTTP/1.1\r\n" + ua + "Transfer-Encoding: gzip\r\n\r\n", err: ErrBadMessage},
		"folded header":    {raw: "POST /master/A HTTP/1.1\r\n" + ua + " Content-Length: 1\r\n\r\n", err: ErrBadMessage},
		"no sender":        {raw: "POST /master/A HTTP/1.1\r\nUser-Agent: libprocess/\r\n\r\n", err: ErrBadMessage},
		"no name":          {raw: "POST /master HTTP/1.1\r\n" + ua + "\r\n", err: ErrBadMessage},
		"bad escape":       {raw: "POST /%zz/A HTTP/1.1\r\n" + ua + "\r\n", err: ErrBadMessage},
		"bad version":      {raw: "POST /master/A HTTP/3\r\n" + ua + "\r\n", err: ErrBadMessage},
	} {
		t.Run(name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"at once": strings.NewReader(tc.raw), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.raw)),
			} {
				got, err := readAllMessages(src, 1000)
				if !errors.Is(err, tc.err) {
					t.Errorf("%s: error %v, want %v", how, err, tc.err)
				}
				if !slices.EqualFunc(got, tc.want, sameMessage) {
					t.Errorf("%s: got %v, want %v", how, got, tc.want)
				}
			}
		})
	}
}

func sameMessage(a, b Message) bool {
	return a.Name == b.Name && a.From == b.From && a.To.ID == b.To.ID && bytes.Equal(a.Body, b.Body)
}

func TestReceivingIsBoundedOverAllConnections(t *testing.T) {
	var total atomic.Int64
	first := &body{limit: 1 << 20, total: &total, maxTotal: 100 << 10}
	if err := first.announce(1 << 20); err != nil {
		t.Fatal(err) // announcing alone takes one step only
	}
	second := &body{limit: 1 << 20, total: &total, maxTotal: 100 << 10}
	if err := second.announce(1 << 20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	second.release()
	first.release()
	if total.Load() != 0 {
		t.Errorf("%d bytes still counted", total.Load())
	}
}

// FuzzReadMessages checks that whatever arrives neither breaks the reader nor
// means something else to it than to an HTTP server.
func FuzzReadMessages(f *testing.F) {
	f.Add([]byte(genuine("master", "A", "s@10.0.0.9:1", "h", "1")))
	f.Add([]byte("POST /m/A HTTP/1.1\r\nUser-Agent: libprocess/s@1.1.1.1:1\r\nContent-Length: 2\r\n\r\nab"))
	f.Add([]byte("POST /m/A HTTP/1.0\r\nuser-agent: libprocess/s@1.1.1.1:1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := readAllMessages(bytes.NewReader(raw), 1000)
		if err != nil && strings.Contains(err.Error(), "still counted") {
			t.Fatal(err)
		}
		if len(got) > 0 {
			sameToHTTP(t, raw, got[0])
		}
		split, _ := readAllMessages(iotest.OneByteReader(bytes.NewReader(raw)), 1000)
		if !slices.EqualFunc(got, split, sameMessage) {
			t.Fatalf("at once %v, byte by byte %v", got, split)
		}
		for _, m := range got {
			again, err := readAllMessages(bytes.NewReader(appendRequest(nil, outgoing{from: m.From, to: m.To, name: m.Name, body: m.Body})), 1000)
			if m.To.ID == "" {
				continue
			}
			if !errors.Is(err, io.EOF) || len(again) != 1 || !sameMessage(again[0], m) {
				t.Fatalf("%v became %v (%v)", m, again, err)
			}
		}
	})
}

// sameToHTTP fails if net/http reads the first request of raw, and reads
// something else.
func sameToHTTP(t *testing.T, raw []byte, m Message) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil || !r.ProtoAtLeast(1, 1) {
		return // it is stricter in places, and knows no chunks in HTTP/1.0
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if id, name, err := parsePath(r.URL.EscapedPath()); err != nil || id != m.To.ID || name != m.Name || !bytes.Equal(body, m.Body) {
		t.Fatalf("%q is %v, to an HTTP server %q, %q, %q (%v)", raw, m, id, name, body, err)
	}
}

func TestPeersOnTheWire(t *testing.T) {
	n := testNode(t)
	_, got := spawn(t, n, "master")

	t.Run("a libprocess gets no answer", func(t *testing.T) {
		conn, r := request(t, n, genuine("master", "A", "s@10.0.0.9:1", "h", "1")+genuine("master", "B", "s@10.0.0.9:1", "h", ""))
		if m := receive(t, got.messages); m.Name != "A" || string(m.Body) != "1" || m.Remote.String() != conn.LocalAddr().String() {
			t.Errorf("got %v", m)
		}
		receive(t, got.messages)
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if b, err := r.ReadByte(); !errors.Is(err, errTimeout(err)) {
			t.Errorf("got %q, %v", b, err)
		}
		// The same connection speaks HTTP when asked to.
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
		expectStatus(t, r, 200)
		// And messages after that are answered, as all are by Mesos.
		io.WriteString(conn, genuine("master", "C", "s@10.0.0.9:1", "h", "3"))
		expectStatus(t, r, 202)
		if m := receive(t, got.messages); m.Name != "C" || string(m.Body) != "3" {
			t.Errorf("got %v", m)
		}
	})
	t.Run("others get 202", func(t *testing.T) {
		_, r := request(t, n, "POST /master/A HTTP/1.1\r\nHost: h\r\nLibprocess-From: s@10.0.0.9:1\r\nContent-Length: 2\r\n\r\nok")
		expectStatus(t, r, 202)
		if m := receive(t, got.messages); string(m.Body) != "ok" || m.From.ID != "s" {
			t.Errorf("got %v", m)
		}
	})
	for name, tc := range map[string]struct {
		raw    string
		status int
	}{
		"unknown process": {"POST /nobody/A HTTP/1.1\r\nHost: h\r\nLibprocess-From: s@10.0.0.9:1\r\n\r\n", 404},
		"bad sender":      {"POST /master/A HTTP/1.1\r\nHost: h\r\nLibprocess-From: s\r\n\r\n", 400},
		"no name":         {"POST /master HTTP/1.1\r\nHost: h\r\nLibprocess-From: s@10.0.0.9:1\r\n\r\n", 400},
		"too large":       {"POST /master/A HTTP/1.1\r\nHost: h\r\nLibprocess-From: s@10.0.0.9:1\r\nContent-Length: 999999999999\r\n\r\n", 413},
		"HTTP":            {"POST /master/api/v1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200},
		"garbage":         {"POST \x00\x01\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := request(t, n, tc.raw)
			expectStatus(t, r, tc.status)
		})
	}
	t.Run("half closed", func(t *testing.T) {
		conn, r := request(t, n, genuine("master", "A", "s@10.0.0.9:1", "h", "1"))
		conn.(*net.TCPConn).CloseWrite()
		receive(t, got.messages)
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection isn't closed: %v", err)
		}
	})
	t.Run("garbage after a message", func(t *testing.T) {
		_, r := request(t, n, genuine("master", "A", "s@10.0.0.9:1", "h", "1")+"\x16\x03\x01\r\n\r\n")
		receive(t, got.messages)
		expectStatus(t, r, 400)
	})
	silent(t, got.messages, 10*time.Millisecond)
}

func expectStatus(t *testing.T, r *bufio.Reader, status int) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != status {
		t.Errorf("status %s, want %d: %s", response.Status, status, body)
	}
}

// errTimeout returns err if it is a timeout, and something else if not.
func errTimeout(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return err
	}
	return errors.New("a timeout")
}
