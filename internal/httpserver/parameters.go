package httpserver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxParameters bounds the parameters of a query or a form: each of them costs
// more memory than it has bytes. No endpoint knows more than a handful.
const maxParameters = 10_000

// ParseParameters reads a query, or the body of a form, as libprocess does: '&' and
// ';' are between parameters, and of those with the same name the last one counts.
// It fails for a '%' that isn't followed by two hexadecimal digits, and for more
// parameters than anybody needs.
func ParseParameters(text string) (url.Values, error) {
	values := url.Values{}
	for parameter := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(parameter, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, fmt.Errorf("decoding a parameter: %w", err)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, fmt.Errorf("decoding parameter '%.100s': %w", name, err)
		}
		if values.Set(name, value); len(values) > maxParameters {
			return nil, errors.New("too many parameters")
		}
	}
	return values, nil
}

// plain lets handlers that read requests in Go's way, where the first of equal
// parameters and of equal headers counts, see what counts in Mesos: the last one.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if repeats(r.Header) {
			r = copied(r)
			r.Header = lastOfEach(r.Header)
		}
		if r.URL.RawQuery != "" {
			values, err := ParseParameters(r.URL.RawQuery)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if !maps.EqualFunc(values, r.URL.Query(), slices.Equal) {
				r = copied(r)
				r.URL = new(*r.URL)
				r.URL.RawQuery = values.Encode()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// copied is a request that can be changed while the server goes on with its own:
// at the end of an answer that looks at the body of that.
func copied(r *http.Request) *http.Request { return r.WithContext(r.Context()) }

func repeats(h http.Header) bool {
	for _, values := range h {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

func lastOfEach(h http.Header) http.Header {
	last := make(http.Header, len(h))
	for name, values := range h {
		last[name] = values[max(0, len(values)-1):]
	}
	return last
}
