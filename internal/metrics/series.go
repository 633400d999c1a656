package metrics

import (
	"net/url"
	"strings"
)

// series is a name of Mesos as Prometheus wants it: what names a framework, a
// role or a kind of resource becomes a label.
type series struct {
	name           string
	source         string // the help text
	labels, values []string
}

func (s series) key() string { return s.name + "\x00" + strings.Join(s.values, "\x00") }

// parseName turns "master/slaves_active" into mesos_master_slaves_active, and
//
//	master/frameworks/<name>/<ID>/…  into mesos_master_framework_… {framework_name, framework_id}
//	…/roles/<role>/…                 into …_role_… {role}
//	…/resources/<resource>/…         into …_resource_… {resource}
//
// The singular keeps them apart from totals like master/frameworks_active.
func parseName(name string) series {
	s := series{source: "Mesos metric"}
	segments := strings.Split(name, "/")
	var words []string
	for i := 0; i < len(segments); {
		switch rest := segments[i+1:]; {
		case segments[i] == "frameworks" && len(rest) >= 3:
			words = append(words, "framework")
			s.label("framework_name", unescape(rest[0]))
			s.label("framework_id", rest[1])
			i += 3
		case segments[i] == "roles" && len(rest) >= 2:
			n := roleLength(rest)
			words = append(words, "role")
			s.label("role", strings.Join(rest[:n], "/"))
			i += 1 + n
		case segments[i] == "resources" && len(rest) == 2:
			words = append(words, "resource")
			s.label("resource", rest[0])
			i += 2
		default:
			words = append(words, segments[i])
			i++
		}
	}
	s.name = "mesos_" + sanitize(strings.Join(words, "_"))
	return s
}

func (s *series) label(name, value string) {
	s.labels = append(s.labels, name)
	s.values = append(s.values, strings.ToValidUTF8(value, "\uFFFD"))
}

// roleLength is how many segments belong to the role, which may have slashes
// itself: all up to the word that begins the rest of a name.
func roleLength(segments []string) int {
	for i := len(segments) - 1; i > 0; i-- {
		switch segments[i] {
		case "shares", "resources", "active", "suppressed":
			return i
		}
	}
	return 1
}

// unescape decodes the name of a framework, which is percent-encoded in names.
func unescape(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// sanitize replaces what Prometheus doesn't allow in names.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_':
			return r
		}
		return '_'
	}, s)
}
