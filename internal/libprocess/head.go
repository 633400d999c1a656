package libprocess

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// userAgentPrefix begins the User-Agent of every libprocess.
const userAgentPrefix = "libprocess/"

// head is what the header block of a request says, as far as it matters here.
type head struct {
	to, name  string // decoded ID of the receiver, name of the message
	from      PID
	silent    bool // the sender is a libprocess: it expects no answer
	length    int64
	chunked   bool
	keepAlive bool
}

// isMessageHead says whether a complete header block belongs to a message that
// is not to be answered: a POST whose User-Agent is a libprocess.
func isMessageHead(block []byte) bool {
	if !bytes.HasPrefix(block, []byte("POST ")) {
		return false
	}
	for line := range bytes.Lines(block) {
		name, value, ok := splitHeader(line)
		if ok && strings.EqualFold(name, "User-Agent") {
			return strings.HasPrefix(value, userAgentPrefix)
		}
	}
	return false
}

// parseHead reads a complete header block: request line, headers, empty line.
func parseHead(block []byte) (head, error) {
	line, rest, _ := bytes.Cut(block, []byte("\n"))
	h, err := parseRequestLine(strings.TrimSuffix(string(line), "\r"))
	if err != nil {
		return head{}, err
	}
	fields := fields{head: &h, length: -1}
	for line := range bytes.Lines(rest) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		name, value, ok := splitHeader(line)
		if !ok {
			return head{}, fmt.Errorf("%w: header line %.64q", ErrBadMessage, line)
		}
		if err := fields.add(name, value); err != nil {
			return head{}, err
		}
	}
	return h, fields.finish()
}

// parseRequestLine reads "POST /<id>/<name> HTTP/1.x".
func parseRequestLine(line string) (head, error) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method != "POST" || (version != "HTTP/1.1" && version != "HTTP/1.0") {
		return head{}, fmt.Errorf("%w: request line %.64q", ErrBadMessage, line)
	}
	h := head{keepAlive: version == "HTTP/1.1"}
	var err error
	h.to, h.name, err = parsePath(target)
	return h, err
}

// parsePath splits the path of a message. As in Mesos the ID is percent-encoded
// and the name is not.
func parsePath(path string) (id, name string, err error) {
	path, _, _ = strings.Cut(path, "?")
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", "", fmt.Errorf("%w: path %.64q", ErrBadMessage, path)
	}
	segment, name, _ := strings.Cut(rest, "/")
	id, err = unescape(segment)
	if err != nil {
		return "", "", err
	}
	if !isMessageName(name) {
		return "", "", fmt.Errorf("%w: path %.64q has no message name", ErrBadMessage, path)
	}
	return id, name, nil
}

func splitHeader(line []byte) (name, value string, ok bool) {
	n, v, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(n) == 0 || bytes.ContainsAny(n, " \t\r\n") {
		return "", "", false
	}
	return string(n), string(bytes.Trim(v, " \t\r\n")), true
}

// fields gathers the headers of one head.
type fields struct {
	head      *head
	from      string
	userAgent string
	length    int64 // -1: no Content-Length
}

func (f *fields) add(name, value string) error {
	switch strings.ToLower(name) {
	case "libprocess-from":
		f.from = value
	case "user-agent":
		f.userAgent, f.head.silent = strings.CutPrefix(value, userAgentPrefix)
	case "connection":
		f.connection(value)
	case "content-length":
		return f.contentLength(value)
	case "transfer-encoding":
		if !strings.EqualFold(value, "chunked") || f.head.chunked {
			return fmt.Errorf("%w: transfer encoding %.32q", ErrBadMessage, value)
		}
		f.head.chunked = true
	case "content-encoding":
		if !strings.EqualFold(value, "identity") {
			return fmt.Errorf("%w: content encoding %.32q", ErrBadMessage, value)
		}
	}
	return nil
}

func (f *fields) connection(value string) {
	for token := range strings.SplitSeq(value, ",") {
		switch strings.ToLower(strings.TrimSpace(token)) {
		case "close":
			f.head.keepAlive = false
		case "keep-alive":
			f.head.keepAlive = true
		}
	}
}

func (f *fields) contentLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil || (f.length >= 0 && f.length != int64(n)) {
		return fmt.Errorf("%w: content length %.32q", ErrBadMessage, value)
	}
	f.length = int64(n)
	return nil
}

// finish checks what the headers say together.
func (f *fields) finish() error {
	if f.head.chunked && f.length >= 0 {
		return fmt.Errorf("%w: both chunked and of a given length", ErrBadMessage)
	}
	f.head.length = max(f.length, 0)
	return f.head.setFrom(f.from, f.userAgent)
}

// setFrom reads the sender from Libprocess-From, else from the User-Agent, as
// old senders have only that.
func (h *head) setFrom(from, userAgent string) (err error) {
	if from == "" && h.silent {
		from = userAgent
	}
	if h.from, err = ParsePID(from); err != nil {
		return fmt.Errorf("%w: sender: %w", ErrBadMessage, err)
	}
	return nil
}
