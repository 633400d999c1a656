package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// Endpoints returns the handlers of /files/<name> by name. They do neither
// JSONP nor authentication: the server's middleware does.
func (f *Files) Endpoints() map[string]http.Handler {
	return map[string]http.Handler{
		"browse":   endpoint(f.serveBrowse),
		"read":     endpoint(f.serveRead),
		"download": endpoint(f.serveDownload),
		"debug":    endpoint(f.serveDebug),
	}
}

// endpoint turns errors into answers.
type endpoint func(w http.ResponseWriter, r *http.Request) error

func (serve endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := serve(w, r)
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	status, body := Answer(err)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if body != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // an error means that the client is gone
}

// Answer returns the status of an error of this package, and the text for who
// asked: none for what isn't there or not allowed, as in Mesos.
func Answer(err error) (status int, body string) {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, ""
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden, ""
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	default:
		status = http.StatusInternalServerError
	}
	return status, err.Error() + ".\n"
}

// requestedPath is the parameter path, which all but debug need.
func requestedPath(r *http.Request) (string, error) {
	if p := r.URL.Query().Get("path"); p != "" {
		return p, nil
	}
	return "", invalid("Expecting 'path=value' in query")
}

func sendJSON(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}

func (f *Files) serveBrowse(w http.ResponseWriter, r *http.Request) error {
	virtual, err := requestedPath(r)
	if err != nil {
		return err
	}
	infos, err := f.Browse(r.Context(), virtual)
	if err != nil {
		return err
	}
	body := []byte{'['}
	for i, info := range infos {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendInfo(body, info)
	}
	return sendJSON(w, append(body, ']'))
}

// appendInfo writes the form of /files/browse, which differs from the message:
// the mode as in ls -l, the time as seconds.
func appendInfo(b []byte, info *mesos.FileInfo) []byte {
	b = append(b, `{"gid":`...)
	b = mesosjson.AppendString(b, info.GetGid())
	b = append(b, `,"mode":`...)
	b = mesosjson.AppendString(b, modeString(info.GetMode()))
	b = append(b, `,"mtime":`...)
	b = mesosjson.AppendDouble(b, float64(info.GetMtime().GetNanoseconds())/1e9)
	b = append(b, `,"nlink":`...)
	b = mesosjson.AppendInt(b, info.GetNlink())
	b = append(b, `,"path":`...)
	b = mesosjson.AppendString(b, info.GetPath())
	b = append(b, `,"size":`...)
	b = mesosjson.AppendUint(b, info.GetSize())
	b = append(b, `,"uid":`...)
	b = mesosjson.AppendString(b, info.GetUid())
	return append(b, '}')
}

// serveRead answers {data, offset}. Without an offset, or with -1, it is the
// file's size that is asked for.
func (f *Files) serveRead(w http.ResponseWriter, r *http.Request) error {
	virtual, err := requestedPath(r)
	if err != nil {
		return err
	}
	offset, err := number(r, "offset")
	if err != nil {
		return err
	}
	length, err := number(r, "length")
	if err != nil {
		return err
	}
	want := &length
	if length < 0 {
		want = nil
	}
	if offset < 0 {
		want = new(int64(0))
	}
	content, err := f.Read(r.Context(), virtual, max(offset, 0), want)
	if err != nil {
		return err
	}
	if offset < 0 {
		offset = content.Size
	}
	body := append([]byte(nil), `{"data":`...)
	body = mesosjson.AppendString(body, string(wholeRunes(content.Data)))
	body = append(body, `,"offset":`...)
	body = mesosjson.AppendInt(body, offset)
	return sendJSON(w, append(body, '}'))
}

// number reads a parameter that is at least -1, which it is when it is missing.
func number(r *http.Request, name string) (int64, error) {
	query := r.URL.Query()
	if !query.Has(name) {
		return -1, nil
	}
	text := query.Get(name)
	n, err := parseNumber(text)
	switch {
	case err != nil:
		return 0, invalid("Failed to parse " + name + ": Failed to convert '" + text + "' to number")
	case n < -1:
		return 0, invalid("Negative " + name + " provided: " + strconv.FormatInt(n, 10))
	}
	return n, nil
}

// parseNumber takes decimal numbers and, behind 0x, hexadecimal ones. Other
// bases, as in 010, are none of Mesos's.
func parseNumber(text string) (int64, error) {
	sign, digits := "", text
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, digits = "-", rest
	}
	if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") && !strings.ContainsAny(digits[2:], "+-") {
		return strconv.ParseInt(sign+digits[2:], 16, 64)
	}
	return strconv.ParseInt(text, 10, 64)
}

// wholeRunes drops the beginning of a character that is cut off at the end.
// Clients go on reading behind the bytes that they got, so they get it whole.
func wholeRunes(data []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax-1, len(data)-1); i++ {
		if tail := data[len(data)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

func (f *Files) serveDownload(w http.ResponseWriter, r *http.Request) error {
	virtual, err := requestedPath(r)
	if err != nil {
		return err
	}
	t, err := f.find(r.Context(), virtual)
	if err != nil {
		if status, body := Answer(err); body == "" { // here, unlike elsewhere, Mesos says something
			httpserver.Refuse(w, status)
			return nil
		}
		return err
	}
	name := path.Base(path.Join(t.path, t.rest))
	return t.openFile("download", func(file *os.File, info fs.FileInfo) error {
		sendFile(w, r, name, file, info)
		return nil
	})
}

func sendFile(w http.ResponseWriter, r *http.Request, name string, file *os.File, info fs.FileInfo) {
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("X-Content-Type-Options", "nosniff") // the contents are a task's
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func (f *Files) serveDebug(w http.ResponseWriter, r *http.Request) error {
	attached := f.Attached()
	body := []byte{'{'}
	for i, virtual := range slices.Sorted(maps.Keys(attached)) {
		if i > 0 {
			body = append(body, ',')
		}
		body = mesosjson.AppendString(body, virtual)
		body = append(body, ':')
		body = mesosjson.AppendString(body, attached[virtual])
	}
	return sendJSON(w, append(body, '}'))
}
