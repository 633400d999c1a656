package testbed

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// Answer is a whole HTTP answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Text is the body.
func (a Answer) Text() string { return string(a.Body) }

// noRedirects shows redirects instead of following them.
var noRedirects = &http.Client{Transport: trusting(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// trusting is a transport that takes every certificate: which ones are right is
// what some tests find out by themselves.
func trusting() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return t
}

// Do sends a request and reads the answer.
func Do(t testing.TB, method, url string, header http.Header, body []byte) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatalf("making a request: %v", err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := noRedirects.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	if answer.Body, err = io.ReadAll(response.Body); err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, url, err)
	}
	return answer
}

// Get asks for a path of the process, which must be there, and reads its JSON. An
// agent that recovers is asked again.
func (p *Process) Get(path string) Value {
	p.t.Helper()
	answer := Do(p.t, http.MethodGet, p.URL(path), p.Header(nil), nil)
	for end := time.Now().Add(Patience); answer.Status == http.StatusServiceUnavailable && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		answer = Do(p.t, http.MethodGet, p.URL(path), p.Header(nil), nil)
	}
	if answer.Status != http.StatusOK {
		p.t.Fatalf("GET %s of %s: %d %s", path, p.Name, answer.Status, answer.Text())
	}
	return MustParse(p.t, answer.Body)
}

// TryGet is Get for what may not be there yet; it is absent then.
func (p *Process) TryGet(path string) Value {
	p.t.Helper()
	answer := Do(p.t, http.MethodGet, p.URL(path), p.Header(nil), nil)
	if answer.Status != http.StatusOK {
		return Value{}
	}
	return MustParse(p.t, answer.Body)
}

// Operator makes a call of the operator API in JSON and returns the answer.
func (p *Process) Operator(call Object) Answer {
	p.t.Helper()
	return p.PostJSON("/api/v1", call)
}

// PostJSON posts a JSON object.
func (p *Process) PostJSON(path string, object Object) Answer {
	p.t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		p.t.Fatalf("encoding a call: %v", err)
	}
	return Do(p.t, http.MethodPost, p.URL(path), p.Header(http.Header{"Content-Type": {"application/json"}}), body)
}

// Ask makes a call of the operator API that has an answer.
func (p *Process) Ask(call Object) Value {
	p.t.Helper()
	answer := p.Operator(call)
	if answer.Status != http.StatusOK {
		p.t.Fatalf("%v at %s: %d %s", call["type"], p.Name, answer.Status, answer.Text())
	}
	return MustParse(p.t, answer.Body)
}
