package codec

import (
	"strconv"
	"strings"
)

// Negotiate picks the content type to answer with. offers are what the endpoint can speak, the
// preferred one first: Mesos looks only whether a type is acceptable, not at how much a client likes
// it, so the first acceptable offer wins. A quality of zero refuses, wildcards accept, an empty header
// accepts anything. ok is false if nothing is acceptable (406).
func Negotiate(accept string, offers ...string) (contentType string, ok bool) {
	if strings.TrimSpace(accept) == "" {
		return offers[0], true
	}
	accept = withoutBlanks.Replace(accept)
	for _, offer := range offers {
		if acceptable(accept, offer) {
			return offer, true
		}
	}
	return "", false
}

// withoutBlanks drops what Mesos passes over wherever it stands: "text / html" is a type.
var withoutBlanks = strings.NewReplacer(" ", "", "\t", "")

// acceptable finds the most specific range that covers the type; that one decides.
func acceptable(accept, contentType string) bool {
	major, _, _ := strings.Cut(contentType, "/")
	best, answer := 0, false
	for item := range strings.SplitSeq(accept, ",") {
		mediaRange, params, _ := strings.Cut(item, ";")
		specificity := 0
		switch strings.ToLower(mediaRange) {
		case contentType:
			specificity = 3
		case major + "/*":
			specificity = 2
		case "*/*", "*":
			specificity = 1
		}
		if specificity > best {
			best, answer = specificity, quality(params) > 0
		}
	}
	return answer
}

func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
