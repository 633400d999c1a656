package httpserver

import (
	"net/http"
	"strconv"
)

// Write sends a complete answer, which is therefore compressed if it is long.
func Write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// An error means that the client is gone: nobody is left to tell.
	_, _ = w.Write(body)
}
