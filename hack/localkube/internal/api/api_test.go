package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDo(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		code   int    // of the expected StatusError; 0 for another error or none
		words  string // part of the error; "" for none
	}{
		"an answer":           {200, `{"name": "node1"}`, 0, ""},
		"created":             {201, `{"name": "node1"}`, 0, ""},
		"a Status":            {409, `{"kind": "Status", "message": "it exists"}`, 409, "it exists"},
		"an error page":       {503, "no backend", 503, "no backend"},
		"not JSON":            {200, "<html>", 0, "decoding"},
		"an empty error page": {500, "", 500, "status 500"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer s.Close()
			var out struct{ Name string }
			err := (&Client{server: s.URL}).Do(t.Context(), http.MethodGet, "/x", nil, &out)
			if tt.words == "" {
				if err != nil || out.Name != "node1" {
					t.Errorf("Do() = %v, decoded %+v", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("Do() = %v, want %q in it", err, tt.words)
			}
			if got := IsStatus(err, tt.status); got != (tt.code != 0) {
				t.Errorf("IsStatus(%d) = %v", tt.status, got)
			}
		})
	}
}
