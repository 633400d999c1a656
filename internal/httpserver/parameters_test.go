package httpserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseParameters(t *testing.T) {
	for text, want := range map[string]url.Values{
		"":                            {},
		"&;&":                         {},
		"a=1&b=2":                     {"a": {"1"}, "b": {"2"}},
		"a=1;b=2":                     {"a": {"1"}, "b": {"2"}},
		"a=1&a=2;a=3":                 {"a": {"3"}},
		"a":                           {"a": {""}},
		"a=&=b":                       {"a": {""}, "": {"b"}},
		"a=b=c":                       {"a": {"b=c"}},
		"a+b=c+d%2B%26":               {"a b": {"c d+&"}},
		"%61=%C3%A4":                  {"a": {"ä"}},
		"a=%00":                       {"a": {"\x00"}},
		"x=[{}]\n":                    {"x": {"[{}]\n"}},
		"a=%":                         nil,
		"a=%2":                        nil,
		"%zz=1":                       nil,
		"a=1&b=%g1":                   nil,
		strings.Repeat("a&", 100_000): {"a": {""}},
		manyParameters(maxParameters): nil, // and more
	} {
		got, err := ParseParameters(text)
		if diff := cmp.Diff(want, got); diff != "" || (want == nil) != (err != nil) {
			t.Errorf("%.40q: %v (-want +got):\n%.500s", text, err, diff)
		}
	}
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n + 1 {
		fmt.Fprintf(&b, "p%d&", i)
	}
	return b.String()
}

func FuzzParseParameters(f *testing.F) {
	f.Add("a=1;b=%20&c")
	f.Add("%")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := ParseParameters(text)
		if err != nil {
			return
		}
		again, err := ParseParameters(values.Encode())
		if diff := cmp.Diff(values, again); diff != "" || err != nil {
			t.Errorf("%q is another one when it is encoded again: %v\n%s", text, err, diff)
		}
	})
}

// TestLastOneCounts is what a handler finds that asks for a header or a parameter.
func TestLastOneCounts(t *testing.T) {
	saw := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.URL.Query().Get("a"), r.Header.Get("Accept"), r.URL.RequestURI())
	})
	for query, want := range map[string]string{
		"":             " z /x",
		"?a=1":         "1 z /x?a=1",
		"?a=b%20c":     "b c z /x?a=b%20c", // as it came: a redirect must lead there
		"?a=1&a=2":     "2 z /x?a=2",
		"?b=1;a=2":     "2 z /x?a=2&b=1",
		"?a=%":         "400",
		"?a=1&b=%zz":   "400",
		"?a=1&&c=%25;": "1 z /x?a=1&c=%25",
	} {
		r := httptest.NewRequest(http.MethodGet, "/x"+query, nil)
		r.Header["Accept"] = []string{"x", "y", "z"}
		w := httptest.NewRecorder()
		plain(saw).ServeHTTP(w, r)
		if got := w.Body.String(); got != want && (want != "400" || w.Code != http.StatusBadRequest) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, got, want)
		}
		if len(r.Header["Accept"]) != 3 {
			t.Error("the server's own request was changed")
		}
	}
}

// TestNobodyWantsTheBody: a client that waits for leave to send its body is answered
// when there is no use for it, and so is one that begins to send too much.
func TestNobodyWantsTheBody(t *testing.T) {
	router := testRouter()
	router.Handle("master", "refuse", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	address := serve(t, Config{Handler: router, MaxBodyBytes: 1000, BodyTimeout: time.Hour})
	for request, want := range map[string]string{
		"POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n":       "HTTP/1.1 403",
		"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n": "HTTP/1.1 413",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\nabc":                      "HTTP/1.1 413",
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, request)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer := make([]byte, len(want))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != want {
			t.Errorf("%.70q: got %q, %v", request, answer, err)
		}
		conn.Close()
	}
}

func TestNoPath(t *testing.T) {
	address := serve(t, Config{Handler: testRouter()})
	for _, target := range []string{"*", "http://elsewhere:80"} {
		answer, _ := dial(t, address, "OPTIONS "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 400") {
			t.Errorf("%s: got %.60q", target, answer)
		}
	}
	for _, target := range []string{"http://elsewhere:80/small", "//small"} {
		answer, _ := dial(t, address, "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("%s: got %.60q", target, answer)
		}
	}
}
