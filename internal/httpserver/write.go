package httpserver

import (
	"fmt"
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

// Refuse sends an answer that says no more than its status.
func Refuse(w http.ResponseWriter, status int) {
	Write(w, status, "text/plain; charset=utf-8", []byte(Refusal(status)))
}

// Refusal is the body that libprocess gives such an answer: "403 Forbidden.".
func Refusal(status int) string { return fmt.Sprintf("%d %s.", status, http.StatusText(status)) }
