package acl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Parse reads the value of --acls: JSON of ACLs. Like Mesos it skips names that
// no list has; they are returned, because a misspelt list protects nothing.
func Parse(text []byte) (a *Authorizer, skipped []string, err error) {
	lists := &acls.ACLs{}
	if err := codec.Unmarshal(codec.JSON, text, lists); err != nil {
		return nil, nil, fmt.Errorf("reading ACLs: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, nil, fmt.Errorf("reading ACLs: %w", err)
	}
	fields := lists.ProtoReflect().Descriptor().Fields()
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if fields.ByName(protoreflect.Name(name)) == nil {
			skipped = append(skipped, name)
		}
	}
	a, err = New(lists)
	return a, skipped, err
}
