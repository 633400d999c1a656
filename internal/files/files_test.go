package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sandbox is a directory with a task's files, attached as /sandbox, next to a
// secret that must not be reached.
func sandbox(t *testing.T) (*Files, string) {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "sandbox")
	for path, text := range map[string]string{
		"secret": "secret", "sandbox-other/x": "secret", "sandbox/stdout": "out\n", "sandbox/sub/deep/file.txt": "deep",
		"sandbox/empty": "", "sandbox/large": strings.Repeat("0123456789", 10_000),
	} {
		write(t, filepath.Join(base, path), text)
	}
	for link, to := range map[string]string{
		"relative": "sub/deep/file.txt", "absolute": filepath.Join(dir, "sub/deep"), "dangling": "nothing",
		"out": "../secret", "outAbsolute": filepath.Join(base, "secret"), "outDir": base, "sibling": filepath.Join(base, "sandbox-other"),
		"absoluteDangling": "/nothing/is/there", "absoluteLoop": filepath.Join(dir, "absoluteLoop"), "sub/up": "../stdout", "loop": "loop", "device": "/dev/zero", "chain": "out", "viaProc": "/proc/self/root",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := New()
	must(t, f.Attach(dir, "/sandbox/", nil))
	must(t, f.Attach(filepath.Join(dir, "stdout"), "/agent/log", nil))
	return f, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get asks an endpoint. query is its parameters as they are.
func get(t *testing.T, f *Files, name, query string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		f.Endpoints()[name].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/files/"+name+"?"+query, nil))
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s?%s blocks", name, query)
	}
	return w.Code, w.Body.String(), w.Header()
}

func TestReadEndpoint(t *testing.T) {
	f, dir := sandbox(t)
	inaccessible := func(rest string) string { return "'" + dir + "/" + rest + "' is inaccessible.\n" }
	uncanonical := func(rest, why string) string {
		return "Failed to determine canonical path of '" + dir + "/" + rest + "': " + why + ".\n"
	}
	page := os.Getpagesize()
	first := strings.Repeat("0123456789", 10_000)[:min(16*page, 100_000)]
	for query, want := range map[string]struct {
		code int
		body string
	}{
		"path=/sandbox/stdout&offset=0":                   {200, `{"data":"out\n","offset":0}`},
		"path=/sandbox/stdout&offset=-1":                  {200, `{"data":"","offset":4}`},
		"path=/sandbox/stdout":                            {200, `{"data":"","offset":4}`},
		"path=/sandbox/stdout&offset=1&length=2":          {200, `{"data":"ut","offset":1}`},
		"path=/sandbox/stdout&offset=1&length=-1":         {200, `{"data":"ut\n","offset":1}`},
		"path=/sandbox/stdout&offset=4":                   {200, `{"data":"","offset":4}`},
		"path=/sandbox/stdout&offset=9223372036854775807": {200, `{"data":"","offset":9223372036854775807}`},
		"path=/sandbox/stdout&offset=0&length=0":          {200, `{"data":"","offset":0}`},
		"path=/sandbox/large&offset=0":                    {200, `{"data":"` + first + `","offset":0}`},
		"path=/sandbox/large&offset=0&length=99999999":    {200, `{"data":"` + first + `","offset":0}`},
		"path=/sandbox/empty&offset=0":                    {200, `{"data":"","offset":0}`},
		"path=/sandbox/sub/deep/file.txt&offset=0":        {200, `{"data":"deep","offset":0}`},
		"path=/sandbox/sub/../stdout&offset=0":            {200, `{"data":"out\n","offset":0}`},
		"path=/sandbox//stdout/&offset=0":                 {200, `{"data":"out\n","offset":0}`},
		"path=/sandbox/relative&offset=0":                 {200, `{"data":"deep","offset":0}`},
		"path=/sandbox/absolute/file.txt&offset=0":        {200, `{"data":"deep","offset":0}`},
		"path=/agent/log&offset=0":                        {200, `{"data":"out\n","offset":0}`},
		"path=/agent/log/x&offset=0":                      {404, ""},
		"path=/agent&offset=0":                            {404, ""},
		"path=/nope":                                      {404, ""},
		"path=nope":                                       {404, ""},
		"path=/":                                          {404, ""},
		"path=/sandbox/nope":                              {404, ""},
		"path=/sandbox/stdout/x":                          {404, ""},
		"path=/sandbox/dangling":                          {404, ""},
		"path=/sandbox":                                   {400, "Cannot read a directory.\n"},
		"path=/sandbox/sub":                               {400, "Cannot read a directory.\n"},
		"path=/sandbox/pipe&offset=0":                     {400, "Cannot read a device or a pipe.\n"},
		"path=/sandbox/device&offset=0":                   {400, inaccessible("device")},
		"path=/sandbox/loop":                              {400, uncanonical("loop", "Too many levels of symbolic links")},
		"path=/sandbox/out&offset=0":                      {400, inaccessible("out")},
		"path=/sandbox/chain&offset=0":                    {400, inaccessible("chain")},
		"path=/sandbox/outAbsolute&offset=0":              {400, inaccessible("outAbsolute")},
		"path=/sandbox/outDir/secret&offset=0":            {400, inaccessible("outDir/secret")},
		"path=/sandbox/sibling/x&offset=0":                {400, inaccessible("sibling/x")},
		"path=/sandbox/viaProc/etc/passwd&offset=0":       {400, inaccessible("viaProc/etc/passwd")},
		"path=/sandbox/../secret&offset=0":                {400, inaccessible("../secret")},
		"path=/sandbox/sub/../../secret&offset=0":         {400, inaccessible("sub/../../secret")},
		"path=/sandbox/%00":                               {400, uncanonical("\x00", "Invalid argument")},
		"path=/sandbox/" + strings.Repeat("x", 300):       {400, uncanonical(strings.Repeat("x", 300), "File name too long")},
		"":                                            {400, "Expecting 'path=value' in query.\n"},
		"path=":                                       {400, "Expecting 'path=value' in query.\n"},
		"path=/sandbox/stdout&offset=x":               {400, "Failed to parse offset: Failed to convert 'x' to number.\n"},
		"path=/sandbox/stdout&offset=-2":              {400, "Negative offset provided: -2.\n"},
		"path=none&offset=hello":                      {400, "Failed to parse offset: Failed to convert 'hello' to number.\n"},
		"path=none&length=hello":                      {400, "Failed to parse length: Failed to convert 'hello' to number.\n"},
		"path=none&offset=":                           {400, "Failed to parse offset: Failed to convert '' to number.\n"},
		"path=none&length=-3&offset=y":                {400, "Failed to parse offset: Failed to convert 'y' to number.\n"},
		"path=none&offset=9223372036854775808":        {400, "Failed to parse offset: Failed to convert '9223372036854775808' to number.\n"},
		"path=none&offset=-0x2":                       {400, "Negative offset provided: -2.\n"},
		"path=none&offset=0x":                         {400, "Failed to parse offset: Failed to convert '0x' to number.\n"},
		"path=/sandbox/stdout&offset=0x1&length=0x2":  {200, `{"data":"ut","offset":1}`},
		"path=/sandbox/stdout&offset=%2B1&length=010": {200, `{"data":"ut\n","offset":1}`},
		"path=/sandbox/stdout&length=2":               {200, `{"data":"","offset":4}`},
		"path=//sandbox///stdout//&offset=0":          {200, `{"data":"out\n","offset":0}`},
		"path=//agent//log&offset=0":                  {200, `{"data":"out\n","offset":0}`},
		"path=file:///agent/log&offset=0":             {200, `{"data":"out\n","offset":0}`},
		"path=agent/log&offset=0":                     {404, ""},
		"path=/sandbox/../sandbox/stdout&offset=0":    {200, `{"data":"out\n","offset":0}`},
		"path=/sandbox/absoluteDangling&offset=0":     {404, ""},
		"path=/sandbox/absoluteLoop&offset=0":         {400, uncanonical("absoluteLoop", "Too many levels of symbolic links")},
		"path=/sandbox/stdout&offset=0&length=-2":     {400, "Negative length provided: -2.\n"},
	} {
		t.Run(query, func(t *testing.T) {
			code, body, _ := get(t, f, "read", query)
			if code != want.code || body != want.body {
				t.Errorf("got %d %.200q, want %d %.200q", code, body, want.code, want.body)
			}
			if strings.Contains(body, "secret") && code == 200 {
				t.Error("the secret got out")
			}
		})
	}
}

func TestBrowseEndpoint(t *testing.T) {
	f, dir := sandbox(t)
	when := time.Unix(1795359848, 123456789)
	must(t, os.Chtimes(filepath.Join(dir, "sub/deep/file.txt"), when, when))
	must(t, os.Chmod(filepath.Join(dir, "sub/deep/file.txt"), 0o640))
	code, body, header := get(t, f, "browse", "path=/sandbox/sub/deep/")
	var got []map[string]any
	must(t, json.Unmarshal([]byte(body), &got))
	if code != 200 || header.Get("Content-Type") != "application/json" || len(got) != 1 {
		t.Fatalf("got %d %s", code, body)
	}
	if got[0]["uid"] == "" || got[0]["gid"] == "" {
		t.Errorf("no owner: %s", body)
	}
	delete(got[0], "uid")
	delete(got[0], "gid")
	want := map[string]any{"mode": "-rw-r-----", "mtime": 1795359848.0, "nlink": 1.0, "path": "/sandbox/sub/deep/file.txt", "size": 4.0}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(body, `"mtime":1795359848.0,`) {
		t.Errorf("the time is no double: %s", body)
	}

	// Links out of the sandbox are shown, not followed; those that lead nowhere are not there.
	code, body, _ = get(t, f, "browse", "path=/sandbox")
	must(t, json.Unmarshal([]byte(body), &got))
	modes := map[string]string{}
	for _, file := range got {
		modes[strings.TrimPrefix(file["path"].(string), "/sandbox/")] = file["mode"].(string)[:1]
	}
	wantModes := map[string]string{
		"stdout": "-", "empty": "-", "large": "-", "sub": "d", "pipe": "p", "relative": "-", "absolute": "d",
		"out": "l", "outAbsolute": "l", "outDir": "l", "sibling": "l", "device": "l", "chain": "l", "viaProc": "l",
	}
	if diff := cmp.Diff(wantModes, modes); code != 200 || diff != "" {
		t.Error(code, diff)
	}
}

// TestListings: paths are listed as they were asked for.
func TestListings(t *testing.T) {
	f, dir := sandbox(t)
	for query, want := range map[string]struct {
		code int
		body string // of a listing: its paths
	}{
		"path=/sandbox/stdout":         {200, ""},
		"path=/agent/log":              {200, ""},
		"path=/sandbox/sub":            {200, "/sandbox/sub/deep /sandbox/sub/up"},
		"path=/sandbox/sub/":           {200, "/sandbox/sub/deep /sandbox/sub/up"},
		"path=//sandbox//sub/":         {200, "//sandbox//sub/deep //sandbox//sub/up"},
		"path=/sandbox/sub/../sub":     {200, "/sandbox/sub/../sub/deep /sandbox/sub/../sub/up"},
		"path=file:///sandbox/sub%2F":  {200, "/sandbox/sub/deep /sandbox/sub/up"},
		"path=/sandbox/absolute":       {200, "/sandbox/absolute/file.txt"},
		"path=/sandbox/nope":           {404, ""},
		"path=/sandbox/dangling":       {404, ""},
		"path=/nope":                   {404, ""},
		"path=/sandbox/outDir":         {400, "'" + dir + "/outDir' is inaccessible.\n"},
		"path=/sandbox/../":            {400, "'" + dir + "/..' is inaccessible.\n"},
		"path=/sandbox/../sandbox/sub": {200, "/sandbox/../sandbox/sub/deep /sandbox/../sandbox/sub/up"},
		"":                             {400, "Expecting 'path=value' in query.\n"},
	} {
		code, body, _ := get(t, f, "browse", query)
		if code == 200 {
			var files []struct{ Path string }
			must(t, json.Unmarshal([]byte(body), &files))
			paths := make([]string, 0, len(files))
			for _, file := range files {
				paths = append(paths, file.Path)
			}
			body = strings.Join(paths, " ")
		}
		if code != want.code || body != want.body {
			t.Errorf("%s: got %d %q, want %d %q", query, code, body, want.code, want.body)
		}
	}
}

func TestDownloadEndpoint(t *testing.T) {
	f, dir := sandbox(t)
	write(t, filepath.Join(dir, `a "b".html`), "<script>")
	write(t, filepath.Join(dir, "black.gif"), "GIF87a\x01\x00\xff")
	for query, want := range map[string]struct {
		code              int
		body, kind, named string
	}{
		"path=/sandbox/stdout":                           {200, "out\n", "application/octet-stream", "attachment; filename=stdout"},
		"path=/sandbox/sub/deep/file.txt":                {200, "deep", "text/plain; charset=utf-8", "attachment; filename=file.txt"},
		"path=" + url.QueryEscape(`/sandbox/a "b".html`): {200, "<script>", "text/html; charset=utf-8", `attachment; filename="a \"b\".html"`},
		"path=/sandbox/black.gif":                        {200, "GIF87a\x01\x00\xff", "image/gif", "attachment; filename=black.gif"},
		"path=/sandbox/sub":                              {code: 400, body: "Cannot download a directory.\n"},
		"path=/sandbox/pipe":                             {code: 400, body: "Cannot download a device or a pipe.\n"},
		"path=/sandbox/out":                              {code: 400, body: "'" + dir + "/out' is inaccessible.\n"},
		"path=/sandbox/nope":                             {code: 404},
		"":                                               {code: 400, body: "Expecting 'path=value' in query.\n"},
	} {
		code, body, header := get(t, f, "download", query)
		if code != want.code || body != want.body {
			t.Errorf("%s: got %d %q", query, code, body)
		}
		if code != 200 {
			continue
		}
		if header.Get("Content-Type") != want.kind || header.Get("Content-Disposition") != want.named {
			t.Errorf("%s: got %q %v", query, body, header)
		}
	}
}

func TestDebugEndpoint(t *testing.T) {
	f, dir := sandbox(t)
	_, body, _ := get(t, f, "debug", "")
	if want := fmt.Sprintf(`{"/agent/log":%q,"/sandbox":%q}`, filepath.Join(dir, "stdout"), dir); body != want {
		t.Errorf("got %s", body)
	}
	// A volume in the sandbox goes with it; a neighbour whose name begins alike stays.
	for _, virtual := range []string{"/sandbox/volume", "/sandbox-2"} {
		if err := f.Attach(dir, virtual, nil); err != nil {
			t.Fatal(err)
		}
	}
	f.Detach("/sandbox/")
	for path, want := range map[string]int{"/sandbox/stdout": 404, "/sandbox/volume/stdout": 404, "/sandbox-2/stdout": 200} {
		if code, _, _ := get(t, f, "read", "path="+path); code != want {
			t.Errorf("%s: got %d, want %d", path, code, want)
		}
	}
}

func TestAttach(t *testing.T) {
	f, dir := sandbox(t)
	if err := f.Attach(filepath.Join(dir, "nope"), "/x", nil); err == nil {
		t.Error("what doesn't exist was attached")
	}
	// A link is resolved when it is attached, once.
	link := filepath.Join(dir, "latest")
	must(t, os.Symlink(filepath.Join(dir, "sub"), link))
	must(t, f.Attach(link, "/latest", nil))
	must(t, os.Remove(link))
	must(t, os.Symlink("/etc", link))
	if code, body, _ := get(t, f, "read", "path=/latest/deep/file.txt&offset=0"); code != 200 || !strings.Contains(body, "deep") {
		t.Errorf("got %d %s", code, body)
	}
	// The longest prefix counts.
	must(t, f.Attach(filepath.Join(dir, "sub/deep"), "/sandbox/sub", nil))
	if code, _, _ := get(t, f, "read", "path=/sandbox/sub/file.txt"); code != 200 {
		t.Errorf("got %d", code)
	}
	must(t, os.RemoveAll(dir))
	if code, _, _ := get(t, f, "read", "path=/sandbox/stdout"); code != 404 {
		t.Errorf("got %d", code)
	}
}

func TestAuthorization(t *testing.T) {
	f, dir := sandbox(t)
	type key struct{}
	only := func(who string) Authorizer {
		return func(ctx context.Context) (bool, error) {
			if ctx.Value(key{}) == nil {
				return false, errors.New("nobody")
			}
			return ctx.Value(key{}) == who, nil
		}
	}
	must(t, f.Attach(dir, "/a", only("alice")))
	must(t, f.Attach(filepath.Join(dir, "sub"), "/a/open", nil))
	must(t, f.Attach(filepath.Join(dir, "sub"), "/a/b", only("bob")))
	for path, want := range map[string]map[string]error{
		"/a/stdout":             {"alice": nil, "bob": ErrForbidden},
		"/a/nope":               {"alice": ErrNotFound, "bob": ErrForbidden},
		"/a/open/deep/file.txt": {"alice": nil, "bob": ErrForbidden},
		"/a/b/deep/file.txt":    {"alice": ErrForbidden, "bob": nil},
		"/sandbox/stdout":       {"alice": nil, "bob": nil},
	} {
		for who, want := range want {
			_, err := f.Read(context.WithValue(t.Context(), key{}, who), path, 0, nil)
			if !errors.Is(err, want) {
				t.Errorf("%s reads %s: %v", who, path, err)
			}
		}
	}
	if code, _, _ := get(t, f, "read", "path=/a/stdout"); code != 500 {
		t.Errorf("got %d", code)
	}
}

func TestReadForCalls(t *testing.T) {
	f, _ := sandbox(t)
	got, err := f.Read(t.Context(), "/sandbox/stdout", 1, new(int64(10)))
	if err != nil || got.Size != 4 || string(got.Data) != "ut\n" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := f.Read(t.Context(), "/sandbox/stdout", -1, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// A client that reads piece by piece, and goes on behind what it got, gets the
// text whole, wherever pieces end.
func TestTextIsReadWhole(t *testing.T) {
	dir := t.TempDir()
	f := New()
	must(t, f.Attach(dir, "/d", nil))
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringN(1, 60, -1).Draw(rt, "text")
		size := rapid.IntRange(utf8.UTFMax, 10).Draw(rt, "size")
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600); err != nil {
			rt.Fatal(err)
		}
		var got strings.Builder
		for got.Len() < len(text) {
			_, body, _ := get(t, f, "read", fmt.Sprintf("path=/d/f&offset=%d&length=%d", got.Len(), size))
			var piece struct{ Data string }
			if err := json.Unmarshal([]byte(body), &piece); err != nil || piece.Data == "" {
				rt.Fatalf("got %s, %v", body, err)
			}
			io.WriteString(&got, piece.Data)
		}
		if got.String() != text {
			rt.Fatalf("got %q, want %q", got.String(), text)
		}
	})
}

func FuzzPaths(f *testing.F) {
	base := f.TempDir()
	dir := filepath.Join(base, "sandbox")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		f.Fatal(err)
	}
	for path, text := range map[string]string{"secret": "secret", "sandbox/file": "fine", "sandbox/sub/file": "fine"} {
		if err := os.WriteFile(filepath.Join(base, path), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	for _, seed := range []string{"/sandbox/file", "/sandbox/../secret", "/sandbox/sub/..//./../../secret", "//"} {
		f.Add(seed)
	}
	files := New()
	if err := files.Attach(dir, "/sandbox", nil); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, err := files.Read(t.Context(), path, 0, nil); err == nil && string(got.Data) != "fine" {
			t.Errorf("%q gave %q", path, got.Data)
		}
		files.Browse(t.Context(), path)
	})
}

// TestEscapedNames: a file whose name looks percent-encoded is another one than that which it
// would be if it were decoded once more.
func TestEscapedNames(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "foo%3Abar"), "literal")
	write(t, filepath.Join(dir, "foo:bar"), "decoded")
	write(t, filepath.Join(dir, "a+b c&d"), "signs")
	f := New()
	must(t, f.Attach(dir, "/", nil))
	for name, want := range map[string]string{"foo%3Abar": "literal", "foo:bar": "decoded", "a+b c&d": "signs"} {
		w := httptest.NewRecorder()
		f.Endpoints()["read"].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/files/read?offset=0&path=/"+url.QueryEscape(name), nil))
		if diff := cmp.Diff(`{"data":"`+want+`","offset":0}`, w.Body.String()); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%s: %d %s", name, w.Code, diff)
		}
	}
}
