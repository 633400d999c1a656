package httpauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/token"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

const realm = "mesos-master-readwrite"

func key(t testing.TB) *token.Key {
	t.Helper()
	k, err := token.NewKey([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var credentials = auth.NewCredentials(auth.Credential{Principal: "ops", Secret: "s:x"}, auth.Credential{Principal: "quiet"})

func basicHeader(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

// outcome is what became of a request.
type outcome struct {
	Principal    auth.Principal
	OK           bool
	Status       int
	Header, Body string
}

func try(g *Guard, realm, authorization string) outcome {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/state", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	p, ok := g.Authenticate(w, r, realm)
	if ok {
		return outcome{Principal: p, OK: true}
	}
	return outcome{Status: w.Code, Header: w.Header().Get("WWW-Authenticate"), Body: w.Body.String()}
}

func TestBasic(t *testing.T) {
	g := NewGuard(map[string][]Authenticator{realm: {Basic(realm, credentials)}}, logr.Logger{})
	no := outcome{Status: 401, Header: `Basic realm="` + realm + `"`, Body: "401 Unauthorized."}
	for name, c := range map[string]struct {
		header string
		want   outcome
	}{
		"right":          {basicHeader("ops:s:x"), outcome{OK: true, Principal: auth.Principal{Name: "ops"}}},
		"no header":      {"", no},
		"wrong secret":   {basicHeader("ops:x"), no},
		"no secret":      {basicHeader("ops"), no},
		"empty secret":   {basicHeader("ops:"), no},
		"empty is right": {basicHeader("quiet:"), outcome{OK: true, Principal: auth.Principal{Name: "quiet"}}},
		"nobody":         {basicHeader(":"), no},
		"not base64":     {"Basic ???", no},
		"another scheme": {"Bearer x", no},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, try(g, realm, c.header)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := try(g, "mesos-master-readonly", "Basic ???"); !got.OK || !got.Principal.IsNobody() {
		t.Errorf("an open realm: %v", got)
	}
	if got := try(nil, realm, ""); !got.OK {
		t.Errorf("no guard: %v", got)
	}
}

// TestBasicWithoutCredentials: nobody is known, whatever is shown.
func TestBasicWithoutCredentials(t *testing.T) {
	for name, credentials := range map[string]*auth.Credentials{"none": nil, "an empty list": auth.NewCredentials()} {
		a := Basic(realm, credentials)
		if a.Scheme() != "Basic" {
			t.Errorf("scheme %s", a.Scheme())
		}
		g := NewGuard(map[string][]Authenticator{realm: {a}}, logr.Logger{})
		for _, header := range []string{"", basicHeader("user:password"), basicHeader(":")} {
			want := outcome{Status: 401, Header: `Basic realm="` + realm + `"`, Body: "401 Unauthorized."}
			if diff := cmp.Diff(want, try(g, realm, header)); diff != "" {
				t.Errorf("%s, %q: %s", name, header, diff)
			}
		}
	}
}

func TestToken(t *testing.T) {
	good, err := key(t).Executor("f", "e", "c")
	if err != nil {
		t.Fatal(err)
	}
	g := NewGuard(map[string][]Authenticator{realm: {Token(realm, key(t))}}, logr.Logger{})
	if got := try(g, realm, "Bearer "+good); !got.OK || got.Principal.Name != "" || got.Principal.Claims["fid"] != "f" {
		t.Errorf("got %v", got)
	}
	for name, c := range map[string]struct{ header, want string }{
		"no header":     {"", `Bearer realm="` + realm + `"`},
		"bad token":     {"Bearer x", `error="invalid_token", error_description="Invalid JWT: `},
		"two tokens":    {"Bearer x y", `error_description="Malformed 'Authorization' header"`},
		"another kind":  {basicHeader("a:b"), `error_description="Scheme 'Basic' unsupported"`},
		"nothing in it": {"Bearer", `Malformed`},
		"evil":          {"Be\"\\arer x", `Scheme 'Be??arer' unsupported`},
	} {
		t.Run(name, func(t *testing.T) {
			got := try(g, realm, c.header)
			if got.Status != 401 || !strings.Contains(got.Header, c.want) || got.Body != "401 Unauthorized." {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestCombined(t *testing.T) {
	g := NewGuard(map[string][]Authenticator{realm: {Basic(realm, credentials), Token(realm, key(t))}}, logr.Logger{})
	good, err := key(t).Executor("f", "e", "c")
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{basicHeader("ops:s:x"), "Bearer " + good} {
		if got := try(g, realm, header); !got.OK {
			t.Errorf("%s: %v", header, got)
		}
	}
	want := outcome{Status: 401, Header: `Basic realm="` + realm + `",Bearer realm="` + realm + `"`,
		Body: "\"Basic\" authenticator returned:\n401 Unauthorized.\n\n\"Bearer\" authenticator returned:\n401 Unauthorized."}
	if diff := cmp.Diff(want, try(g, realm, "")); diff != "" {
		t.Error(diff)
	}
}

// broken is an authenticator that can't tell, or says why.
type broken struct{ err error }

func (broken) Scheme() string { return "Broken" }
func (b broken) Authenticate(context.Context, *http.Request) (auth.Principal, error) {
	return auth.Principal{}, b.err
}

func TestAuthenticatorsThatFail(t *testing.T) {
	down := broken{errors.New("down")}
	told := broken{&Challenge{Header: "Broken", Body: "try later"}}
	for name, c := range map[string]struct {
		all  []Authenticator
		want outcome
	}{
		"down":              {[]Authenticator{down}, outcome{Status: 503, Body: "Authentication is not possible at the moment"}},
		"down, then asked":  {[]Authenticator{down, told}, outcome{Status: 401, Header: "Broken", Body: "\"Broken\" authenticator returned:\ntry later"}},
		"a body":            {[]Authenticator{told}, outcome{Status: 401, Header: "Broken", Body: "try later"}},
		"two bodies":        {[]Authenticator{told, told}, outcome{Status: 401, Header: "Broken,Broken", Body: "\"Broken\" authenticator returned:\ntry later\n\n\"Broken\" authenticator returned:\ntry later"}},
		"down, then passed": {[]Authenticator{down, Basic(realm, credentials)}, outcome{OK: true, Principal: auth.Principal{Name: "ops"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGuard(map[string][]Authenticator{realm: c.all}, logr.Logger{})
			if diff := cmp.Diff(c.want, try(g, realm, basicHeader("ops:s:x"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// apiServer knows one account and counts what it is asked.
func apiServer(t *testing.T, asked *atomic.Int32) *kubeapi.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var review tokenReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.Method != http.MethodPost ||
			r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || r.Header.Get("Authorization") != "Bearer own" {
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		switch review.Spec.Token {
		case "down":
			http.Error(w, "etcd is busy", http.StatusInternalServerError)
			return
		case "good":
			review.Status.Authenticated = len(review.Spec.Audiences) == 0 || review.Spec.Audiences[0] == "mesos"
			review.Status.User.Username = "system:serviceaccount:team:marathon"
		case "human":
			review.Status.Authenticated = true
			review.Status.User.Username = "admin"
		}
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kubeapi.New(kubeapi.Config{Server: s.URL, TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAccounts(t *testing.T) {
	var asked atomic.Int32
	g := NewGuard(map[string][]Authenticator{
		realm:   {Accounts(AccountsConfig{Realm: realm, API: apiServer(t, &asked), Audiences: []string{"mesos"}})},
		"other": {Accounts(AccountsConfig{Realm: realm, API: apiServer(t, &asked), Audiences: []string{"x"}})},
	}, logr.Logger{})
	for range 3 {
		got := try(g, realm, "Bearer good")
		if want := (auth.Principal{Name: "system:serviceaccount:team:marathon"}); !got.OK || !cmp.Equal(got.Principal, want) {
			t.Fatalf("got %v", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the API server was asked %d times", n)
	}
	for name, c := range map[string]struct {
		realm, header string
		status        int
	}{
		"unknown":          {realm, "Bearer bad", 401},
		"a person":         {realm, "Bearer human", 401},
		"another audience": {"other", "Bearer good", 401},
		"none":             {realm, "", 401},
		"too long":         {realm, "Bearer " + strings.Repeat("x", maxToken+1), 401},
		"no answer":        {realm, "Bearer down", 503},
	} {
		t.Run(name, func(t *testing.T) {
			if got := try(g, c.realm, c.header); got.Status != c.status {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAccountsRemembersSoMuchAndSoLong(t *testing.T) {
	a := Accounts(AccountsConfig{Life: time.Minute, MaxRemembered: 2}).(*accounts)
	now := time.Now()
	a.remember([32]byte{1}, "x", now)
	a.remember([32]byte{2}, "", now)
	for _, c := range []struct {
		id    byte
		after time.Duration
		want  bool
	}{{1, 59 * time.Second, true}, {1, time.Minute, false}, {2, 4 * time.Second, true}, {2, 5 * time.Second, false}} {
		if _, ok := a.recall([32]byte{c.id}, now.Add(c.after)); ok != c.want {
			t.Errorf("%d after %v: remembered %t", c.id, c.after, ok)
		}
	}
	a.remember([32]byte{3}, "y", now.Add(10*time.Second))
	if _, ok := a.recall([32]byte{1}, now); !ok || len(a.known) != 2 {
		t.Error("what is over was kept in place of what isn't")
	}
	for id := range byte(100) {
		a.remember([32]byte{id}, "y", now)
	}
	if len(a.known) > 2 {
		t.Errorf("%d are remembered", len(a.known))
	}
}

func TestBuild(t *testing.T) {
	api := func() (*kubeapi.Client, error) { return kubeapi.New(kubeapi.InPod(func(string) string { return "" })) }
	full := &Sources{Credentials: credentials, Key: key(t), API: api}
	for list, want := range map[string]string{
		"basic": "Basic", "jwt": "Bearer", "basic,jwt": "Basic Bearer", "jwt, basic,jwt": "Bearer Basic",
		"": "error", "serviceaccount": "error", "kerberos": "error",
	} {
		var got []string
		names, err := Names(list)
		if err == nil {
			var all []Authenticator
			all, err = full.Build(realm, names)
			for _, a := range all {
				got = append(got, a.Scheme())
			}
		}
		if err != nil {
			got = []string{"error"}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %s, want %s (%v)", list, s, want, err)
		}
	}
	for _, name := range []string{"basic", "jwt"} {
		if _, err := (&Sources{}).Build(realm, []string{name}); err == nil {
			t.Errorf("%s without a source", name)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	g := NewGuard(map[string][]Authenticator{realm: {Basic(realm, credentials), Token(realm, key(f))}}, logr.Logger{})
	f.Add(basicHeader("ops:s:x"))
	f.Add("Bearer x")
	f.Add("Basic \xff")
	f.Add("bearer  ")
	f.Fuzz(func(t *testing.T, header string) {
		got := try(g, realm, header)
		if got.OK && got.Principal.Name != "ops" && got.Principal.Name != "quiet" && len(got.Principal.Claims) == 0 {
			t.Errorf("%q is accepted as %v", header, got.Principal)
		}
		if !got.OK && (got.Status != 401 || strings.ContainsAny(got.Header, "\r\n")) {
			t.Errorf("%q is answered by %v", header, got)
		}
	})
}
