package httpserver

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// gzipFrom is the length of the shortest body that is compressed, in bytes: as
// in Mesos.
const gzipFrom = 1024

// compress compresses answers with a Content-Length of at least gzipFrom for
// clients that accept it. Streams have none, and are left alone: each of their
// writes must reach the client as one chunk.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
			next.ServeHTTP(w, r)
			return
		}
		g := &gzipWriter{ResponseWriter: w}
		next.ServeHTTP(g, r)
		g.finish()
	})
}

// AcceptsGzip says whether a client takes compressed answers, for handlers that
// have one: with a Content-Encoding of its own it is passed on as it is.
func AcceptsGzip(r *http.Request) bool { return acceptsGzip(r.Header.Values("Accept-Encoding")) }

// acceptsGzip reads Accept-Encoding: gzip or *, without a weight of 0.
func acceptsGzip(values []string) bool {
	accepted := map[string]bool{}
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		accepted[strings.ToLower(strings.TrimSpace(name))] = weight(parameters) > 0
	}
	if gzip, named := accepted["gzip"]; named {
		return gzip
	}
	return accepted["*"]
}

// weight is the q of a coding: 1 if there is none, and 0 if it is no number.
func weight(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return q
		}
	}
	return 1
}

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // fails for unknown levels only
	return w
}}

type gzipWriter struct {
	http.ResponseWriter
	begun bool
	gzip  *gzip.Writer // nil: as it is
}

// Unwrap is for http.ResponseController.
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = status >= 200 // others are informational
	h := w.Header()
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err == nil && length >= gzipFrom && h.Get("Content-Encoding") == "" && status != http.StatusPartialContent {
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		w.gzip = gzipWriters.Get().(*gzip.Writer)
		w.gzip.Reset(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip != nil {
		return w.gzip.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom.
func (w *gzipWriter) ReadFrom(src io.Reader) (int64, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip != nil {
		return io.Copy(w.gzip, src)
	}
	return io.Copy(w.ResponseWriter, src)
}

// Flush is for streams; with compression it sends what there is.
func (w *gzipWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip != nil {
		w.gzip.Flush()
	}
	http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *gzipWriter) finish() {
	if w.gzip == nil {
		return
	}
	w.gzip.Close()
	w.gzip.Reset(io.Discard)
	gzipWriters.Put(w.gzip)
}
