package flags

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Type is a kind of value: how it is read and written.
type Type[T any] struct {
	// Parse reads a value; its error needn't name the flag.
	Parse func(text string) (T, error)
	// Format writes it for /flags.
	Format func(T) string
	// Value stands for the value in the help text.
	Value string
	// Raw leaves values of the form "file://…" to Parse. Without it Parse gets
	// the contents of the file, less white space at the end.
	Raw bool
}

// Types of values.
var (
	StringType   = Type[string]{Parse: ok[string], Format: identity, Value: "VALUE"}
	IntType      = Type[int]{Parse: parseInt, Format: strconv.Itoa, Value: "NUMBER"}
	FloatType    = Type[float64]{Parse: parseFloat, Format: formatFloat, Value: "NUMBER"}
	DurationType = Type[time.Duration]{Parse: ParseDuration, Format: FormatDuration, Value: "DURATION"}
	BytesType    = Type[Bytes]{Parse: ParseBytes, Format: Bytes.String, Value: "SIZE"}
	IPType       = Type[netip.Addr]{Parse: parseIP, Format: netip.Addr.String, Value: "IP"}
	PortType     = Type[uint16]{Parse: parsePort, Format: formatPort, Value: "PORT"}
	// PathType is the path of a file that the daemon opens itself. It may be
	// written with "file://", which is kept for /flags only.
	PathType = Type[string]{Parse: ok[string], Format: identity, Value: "PATH", Raw: true}
	// JSONType is a JSON text, or the absolute path of a file that holds one.
	JSONType = Type[json.RawMessage]{Parse: parseJSON, Format: formatJSON, Value: "JSON"}
	// JSONFileType is likewise, and says which file it was.
	JSONFileType = Type[JSONFile]{Parse: parseJSONFile, Format: func(f JSONFile) string { return formatJSON(f.Text) }, Value: "JSON", Raw: true}
	// SecretType is a value which /flags doesn't show.
	SecretType = Type[string]{Parse: ok[string], Format: redact, Value: "VALUE"}

	// CredentialsType is the path of a file with secrets, or the secrets
	// themselves as JSON, which /flags doesn't show.
	CredentialsType = Type[string]{Parse: ok[string], Format: redactJSON, Value: "PATH|JSON", Raw: true}

	// ModuleType is the name of a module of Mesos's that a flag would have the daemon
	// use. A Go program can't load one, and a daemon that went on without would not be
	// what its operator meant: any name is an error.
	ModuleType = Type[string]{Parse: noModule, Format: identity, Value: "MODULE"}

	boolType = Type[bool]{Parse: parseBool, Format: strconv.FormatBool}
)

func noModule(name string) (string, error) {
	if name != "" {
		return "", fmt.Errorf("%q: modules can't be loaded", name)
	}
	return name, nil
}

// OneOf is a string that must be one of the given values.
func OneOf(values ...string) Type[string] {
	return Type[string]{
		Parse: func(text string) (string, error) {
			for _, v := range values {
				if v == text {
					return v, nil
				}
			}
			return "", fmt.Errorf("%q is none of %s", text, strings.Join(values, ", "))
		},
		Format: identity,
		Value:  strings.Join(values, "|"),
	}
}

// JSONFile is a value of JSONFileType.
type JSONFile struct {
	Text json.RawMessage
	// Path of the file that Text was read from; "" if the flag itself holds it.
	Path string
}

// Read reads the file again.
func (f JSONFile) Read() (json.RawMessage, error) { return parseJSON(f.Path) }

func parseJSONFile(text string) (JSONFile, error) {
	var f JSONFile
	if path, ok := strings.CutPrefix(text, fileScheme); ok || strings.HasPrefix(text, "/") {
		f.Path, text = path, path
		if !strings.HasPrefix(path, "/") { // parseJSON reads absolute paths only
			absolute, err := filepath.Abs(path)
			if err != nil {
				return JSONFile{}, err
			}
			f.Path, text = absolute, absolute
		}
	}
	var err error
	f.Text, err = parseJSON(text)
	return f, err
}

// FilePath returns the path that a value of PathType means.
func FilePath(value string) string { return strings.TrimPrefix(value, fileScheme) }

const fileScheme = "file://"

// maxFile bounds what is read for a flag: settings, not data.
const maxFile = 16 << 20

// load reads the file that "file://…" names.
func load(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxFile {
		return "", fmt.Errorf("%s is over %d bytes", path, maxFile)
	}
	text, err := os.ReadFile(path)
	return strings.TrimRight(string(text), " \t\r\n"), err
}

func ok[T any](v T) (T, error) { return v, nil }

func identity(s string) string { return s }

func redact(s string) string {
	if s == "" {
		return ""
	}
	return "REDACTED"
}

func redactJSON(s string) string {
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		return "REDACTED"
	}
	return s
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n-n != 0 { // Inf and NaN
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return n, nil
}

func formatFloat(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port: expected 0 to 65535", text)
	}
	return uint16(n), nil
}

func formatPort(n uint16) string { return strconv.Itoa(int(n)) }

func parseIP(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", text)
	}
	return ip.Unmap(), nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseJSON(text string) (json.RawMessage, error) {
	if strings.HasPrefix(text, "/") {
		contents, err := load(text)
		if err != nil {
			return nil, err
		}
		text = contents
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("malformed JSON at byte %d: %w", syntax.Offset, err)
		}
		return nil, fmt.Errorf("malformed JSON: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

func formatJSON(text json.RawMessage) string { return string(text) }
