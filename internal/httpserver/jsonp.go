package httpserver

import (
	"io"
	"net/http"
	"strconv"
)

// jsonp wraps successful JSON answers in a call of the function that the
// parameter jsonp names: f(…), without a semicolon. It is for scripts in browsers,
// which are loaded by GET; a call of a v1 API is a POST and has no such parameter.
func jsonp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Method == http.MethodPost || !query.Has("jsonp") {
			next.ServeHTTP(w, r)
			return
		}
		callback := query.Get("jsonp")
		if !isCallback(callback) {
			http.Error(w, "jsonp is not the name of a function", http.StatusBadRequest)
			return
		}
		p := &jsonpWriter{ResponseWriter: w, callback: callback}
		next.ServeHTTP(p, r)
		p.finish()
	})
}

// isCallback keeps code out of what a browser will run: names like
// jQuery1_2 and angular.callbacks._0 or a["b"] are all there is.
func isCallback(s string) bool {
	if len(s) > 256 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '$', c == '.', c == '[', c == ']', c == '"', c == '\'':
		default:
			return false
		}
	}
	return true
}

// jsonpWriter adds the call around the body while it passes.
type jsonpWriter struct {
	http.ResponseWriter
	callback string
	begun    bool
	wraps    bool
}

// Unwrap is for http.ResponseController.
func (w *jsonpWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *jsonpWriter) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	h := w.Header()
	w.wraps = status == http.StatusOK && h.Get("Content-Type") == "application/json"
	if w.wraps {
		h.Set("Content-Type", "text/javascript")
		h.Set("X-Content-Type-Options", "nosniff")
		if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
			h.Set("Content-Length", strconv.FormatInt(n+int64(len(w.callback))+2, 10))
		}
	}
	w.ResponseWriter.WriteHeader(status)
	if w.wraps {
		w.ResponseWriter.Write([]byte(w.callback + "("))
	}
}

func (w *jsonpWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom.
func (w *jsonpWriter) ReadFrom(src io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	return io.Copy(w.ResponseWriter, src)
}

func (w *jsonpWriter) finish() {
	if w.wraps {
		w.ResponseWriter.Write([]byte(")"))
	}
}
