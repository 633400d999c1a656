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
	length    int64 // of the body, if it isn't chunked
	chunked   bool
	keepAlive bool
}

// parser reads header blocks. It remembers what the last one of the connection
// said, because most messages of a connection have one sender, one receiver and
// few names: then it allocates nothing.
type parser struct {
	path, from []byte // as they were written
	last       head   // to, name and from of them
}

// isMessageHead says whether a complete header block belongs to a message that
// is not to be answered: a POST whose User-Agent is a libprocess.
func isMessageHead(block []byte) bool {
	if !bytes.HasPrefix(block, []byte("POST ")) {
		return false
	}
	for len(block) > 0 {
		var line []byte
		line, block = cutLine(block)
		if name, value, ok := splitHeader(line); ok && isHeader(name, "user-agent") {
			return bytes.HasPrefix(value, []byte(userAgentPrefix))
		}
	}
	return false
}

// parse reads a complete header block: request line, headers, empty line.
func (p *parser) parse(block []byte) (head, error) {
	line, block := cutLine(block)
	f := fields{length: -1}
	path, err := f.requestLine(line)
	if err != nil {
		return head{}, err
	}
	for {
		if line, block = cutLine(block); len(line) == 0 {
			break
		}
		if err := f.header(line); err != nil {
			return head{}, err
		}
	}
	return p.finish(path, &f)
}

func (p *parser) finish(path []byte, f *fields) (head, error) {
	if f.chunked && f.length >= 0 {
		return head{}, fmt.Errorf("%w: both chunked and of a given length", ErrBadMessage)
	}
	if err := p.remember(path, f.sender()); err != nil {
		return head{}, err
	}
	h := p.last
	h.length, h.chunked, h.keepAlive = max(f.length, 0), f.chunked, f.keepAlive
	return h, nil
}

// remember brings last up to date.
func (p *parser) remember(path, from []byte) (err error) {
	if p.path == nil || !bytes.Equal(path, p.path) {
		if p.last.to, p.last.name, err = parsePath(string(path)); err != nil {
			return err
		}
		p.path = append(p.path[:0], path...)
	}
	if p.from == nil || !bytes.Equal(from, p.from) {
		if p.last.from, err = parseSender(string(from)); err != nil {
			return err
		}
		p.from = append(p.from[:0], from...)
	}
	return nil
}

func parseSender(from string) (PID, error) {
	pid, err := ParsePID(from)
	if err != nil {
		return PID{}, fmt.Errorf("%w: sender: %w", ErrBadMessage, err)
	}
	return pid, nil
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

// fields gathers what one header block says. Its slices are of that block.
type fields struct {
	from      []byte
	userAgent []byte // after userAgentPrefix
	length    int64  // -1: no Content-Length
	chunked   bool
	keepAlive bool
}

// sender is Libprocess-From, else the User-Agent, as old senders have only that.
func (f *fields) sender() []byte {
	if len(f.from) > 0 {
		return f.from
	}
	return f.userAgent
}

// requestLine reads "POST /<id>/<name> HTTP/1.x" and returns the path.
func (f *fields) requestLine(line []byte) (path []byte, err error) {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	path, version, _ := bytes.Cut(rest, []byte(" "))
	f.keepAlive = string(version) == "HTTP/1.1"
	if string(method) != "POST" || !f.keepAlive && string(version) != "HTTP/1.0" {
		return nil, fmt.Errorf("%w: request line %.64q", ErrBadMessage, line)
	}
	return path, nil
}

func (f *fields) header(line []byte) error {
	name, value, ok := splitHeader(line)
	switch {
	case !ok:
		return fmt.Errorf("%w: header line %.64q", ErrBadMessage, line)
	case isHeader(name, "libprocess-from"):
		f.from = value
	case isHeader(name, "user-agent"):
		f.userAgent, _ = bytes.CutPrefix(value, []byte(userAgentPrefix))
	case isHeader(name, "connection"):
		f.connection(value)
	case isHeader(name, "content-length"):
		return f.contentLength(value)
	case isHeader(name, "transfer-encoding"):
		if f.chunked || !isHeader(value, "chunked") {
			return fmt.Errorf("%w: transfer encoding %.32q", ErrBadMessage, value)
		}
		f.chunked = true
	case isHeader(name, "content-encoding") && !isHeader(value, "identity"):
		return fmt.Errorf("%w: content encoding %.32q", ErrBadMessage, value)
	}
	return nil
}

func (f *fields) connection(value []byte) {
	for token := range bytes.SplitSeq(value, []byte(",")) {
		switch token = bytes.TrimSpace(token); {
		case isHeader(token, "close"):
			f.keepAlive = false
		case isHeader(token, "keep-alive"):
			f.keepAlive = true
		}
	}
}

func (f *fields) contentLength(value []byte) error {
	n, err := strconv.ParseUint(string(value), 10, 62)
	if err != nil || (f.length >= 0 && f.length != int64(n)) {
		return fmt.Errorf("%w: content length %.32q", ErrBadMessage, value)
	}
	f.length = int64(n)
	return nil
}

// cutLine splits a block after its first line, whose end it removes.
func cutLine(block []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(block, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// splitHeader splits "name: value". Folded lines and spaces before the colon,
// which HTTP forbids as well, are no headers.
func splitHeader(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || bytes.ContainsAny(line[:i], " \t\r") {
		return nil, nil, false
	}
	return line[:i], bytes.Trim(line[i+1:], " \t\r"), true
}

// isHeader compares without regard to case; word is in lower case.
func isHeader(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
