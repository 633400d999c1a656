package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Labels of the nodes of masters.
const (
	labelJSON     = "json.info"
	labelProtobuf = "info"
)

// Member is a master in the group.
type Member struct {
	// Name is the node's, "json.info_0000000007".
	Name string
	// Sequence orders the members: the lowest leads.
	Sequence int32
}

// parseMember reads the name of a node; others than members stand there too.
func parseMember(name string) (Member, bool) {
	i := strings.LastIndex(name, "_")
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	return Member{Name: name, Sequence: int32(n)}, err == nil
}

// ParseMembers returns the members among the names of nodes.
func ParseMembers(names []string) []Member {
	var members []Member
	for _, name := range names {
		if m, ok := parseMember(name); ok {
			members = append(members, m)
		}
	}
	return members
}

func (m Member) label() string {
	if i := strings.LastIndex(m.Name, "_"); i >= 0 {
		return m.Name[:i]
	}
	return ""
}

// leads returns the member with the lowest sequence.
func leads(names []string) (Member, bool) {
	var first Member
	found := false
	for _, name := range names {
		if m, ok := parseMember(name); ok && (!found || m.Sequence < first.Sequence) {
			first, found = m, true
		}
	}
	return first, found
}

// Group is the group of masters at the path of a URL, in one session.
type Group struct {
	session *Session
	url     URL
}

// NewGroup returns the group at the URL's path.
func NewGroup(s *Session, u URL) *Group { return &Group{session: s, url: u} }

// Join publishes a master, as JSON. It makes the path if it doesn't exist. No
// matter how often the connection breaks there is one node of this session.
func (g *Group) Join(ctx context.Context, info *mesos.MasterInfo) (Member, error) {
	data, err := codec.Marshal(codec.JSON, info)
	if err != nil {
		return Member{}, fmt.Errorf("encoding this master: %w", err)
	}
	if err := g.session.Ensure(ctx, g.url.Path); err != nil {
		return Member{}, fmt.Errorf("joining the masters at %s: %w", g.url, err)
	}
	var path string
	for {
		path, err = fetch(ctx, g.session, func() (string, error) {
			return g.session.conn.Create(g.url.Join(labelJSON+"_"), data, zk.FlagEphemeral|zk.FlagSequence, g.session.acl)
		})
		if !Unanswered(err) {
			break
		}
		if m, found, err := g.own(ctx); err != nil || found {
			return m, err
		}
	}
	if err != nil {
		return Member{}, fmt.Errorf("joining the masters at %s: %w", g.url, err)
	}
	m, ok := parseMember(path[strings.LastIndex(path, "/")+1:])
	if !ok {
		return Member{}, fmt.Errorf("joining the masters at %s: unexpected node %s", g.url, path)
	}
	return m, nil
}

// own finds the node that this session made and wasn't told of.
func (g *Group) own(ctx context.Context) (Member, bool, error) {
	if err := g.session.Sync(ctx, g.url.Path); err != nil {
		return Member{}, false, err
	}
	names, _, err := g.Members(ctx)
	if err != nil {
		return Member{}, false, err
	}
	for _, name := range names {
		m, ok := parseMember(name)
		if !ok {
			continue
		}
		n, err := g.session.get(ctx, g.url.Join(name))
		if errors.Is(err, ErrNoNode) {
			continue
		}
		if err != nil {
			return Member{}, false, err
		}
		if n.stat.EphemeralOwner == g.session.conn.SessionID() {
			return m, true, nil
		}
	}
	return Member{}, false, nil
}

// Leave takes a member out of the group.
func (g *Group) Leave(ctx context.Context, m Member) error {
	return g.session.Delete(ctx, g.url.Join(m.Name))
}

// Members returns the names of the group's nodes, and a channel that delivers
// once when they change. A path that doesn't exist is made: it can't be watched
// otherwise.
func (g *Group) Members(ctx context.Context) (names []string, changed <-chan zk.Event, err error) {
	names, changed, err = g.session.Children(ctx, g.url.Path)
	if errors.Is(err, ErrNoNode) {
		if err = g.session.Ensure(ctx, g.url.Path); err != nil {
			return nil, nil, err
		}
		names, changed, err = g.session.Children(ctx, g.url.Path)
	}
	return names, changed, err
}

// Leader returns the member that leads among names, and what it says of
// itself; nil if there is none, or it is gone meanwhile.
func (g *Group) Leader(ctx context.Context, names []string) (Member, *mesos.MasterInfo, error) {
	m, ok := leads(names)
	if !ok {
		return Member{}, nil, nil
	}
	info, err := g.Info(ctx, m)
	return m, info, err
}

// Info returns what a member says of itself; nil if it is gone.
func (g *Group) Info(ctx context.Context, m Member) (*mesos.MasterInfo, error) {
	data, _, err := g.session.Get(ctx, g.url.Join(m.Name))
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info := &mesos.MasterInfo{}
	switch m.label() {
	case labelJSON:
		err = codec.Unmarshal(codec.JSON, data, info)
	case labelProtobuf:
		err = proto.Unmarshal(data, info)
	case "": // older than both: the PID as text
		info.Pid = new(string(data))
	default:
		err = errors.New("its format is not known")
	}
	if err != nil {
		return nil, fmt.Errorf("master at %s: %w", g.url.Join(m.Name), err)
	}
	return info, nil
}
