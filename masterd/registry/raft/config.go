package raft

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-logr/logr"
)

// Peer is a member of the group.
type Peer struct {
	// ID is unique in the group and stays with the member's directory; by
	// default it is the address.
	ID string
	// Address is the "host:port" that the other members connect to. A name is
	// looked up for every connection.
	Address string
}

// ParsePeers reads "host:port" or "id=host:port", separated by commas or white
// space.
func ParsePeers(s string) ([]Peer, error) {
	var peers []Peer
	for item := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		id, address, named := strings.Cut(item, "=")
		if !named {
			address = id
		}
		if err := checkAddress(address); err != nil {
			return nil, fmt.Errorf("raft peer %q: %w", item, err)
		}
		peers = append(peers, Peer{ID: id, Address: address})
	}
	return peers, nil
}

// Config holds the settings of a store. Unset durations stand for their
// defaults.
type Config struct {
	// Dir is the directory for log and snapshots. It is made if it does not
	// exist.
	Dir string
	// ID is this member's in the group. Default: Address.
	ID string
	// Address is the "host:port" that the other members connect to. Without
	// peers it is only remembered.
	Address string
	// Bind is the "host:port" to listen at when there are peers. Default:
	// Address if its host is an IP address, else its port on all addresses.
	Bind string
	// Peers are all members, this one included. None means that this is the
	// only one. The first begins the group, and the leader adds who is
	// missing, so that no two members ever begin a group each.
	Peers []Peer
	// Reload reads the list of peers again, while the store runs: the leader
	// makes the group what it says. Default: Peers stay as they are.
	Reload func() ([]Peer, error)
	// TLS secures the connections of peers. Default: they are in the clear.
	TLS *TLS

	// HeartbeatTimeout is how long a follower hears nothing of the leader
	// before it becomes a candidate, and ElectionTimeout how long an election
	// may take. Default 1 s, which gives a new leader within 4 s; 100 ms in a
	// group of one, where nobody can be missed.
	HeartbeatTimeout, ElectionTimeout time.Duration
	// SnapshotEntries and SnapshotBytes are how many entries, and how many
	// bytes of them, there may be before the log is replaced by a snapshot.
	// Defaults 8,192, as in hashicorp/raft, and 64 MiB: the log of a group
	// with 20,000 agents has a size that is copied to a new member in a
	// second.
	SnapshotEntries uint64
	SnapshotBytes   int64
	// DiskTimeout is how long one write to the disk may take before a leader
	// gives up the leadership to another member. Default 5 s: a loaded disk
	// takes a second now and then.
	DiskTimeout time.Duration

	Log logr.Logger

	// wrap lets tests come between raft and its disk.
	wrap func(fullStore) fullStore
}

func (c Config) store(bolt fullStore) fullStore {
	if c.wrap == nil {
		return bolt
	}
	return c.wrap(bolt)
}

func (c Config) withDefaults() Config {
	if c.ID == "" {
		c.ID = c.Address
	}
	if host, port, err := net.SplitHostPort(c.Address); err == nil && c.Bind == "" {
		c.Bind = c.Address
		if net.ParseIP(host) == nil {
			c.Bind = net.JoinHostPort("", port)
		}
	}
	timeout := time.Second
	if len(c.Peers) < 2 && c.Reload == nil {
		timeout = 100 * time.Millisecond
	}
	if c.HeartbeatTimeout == 0 {
		c.HeartbeatTimeout = timeout
	}
	if c.ElectionTimeout == 0 {
		c.ElectionTimeout = timeout
	}
	if c.SnapshotEntries == 0 {
		c.SnapshotEntries = 8192
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = 64 << 20
	}
	if c.DiskTimeout == 0 {
		c.DiskTimeout = 5 * time.Second
	}
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no directory"))
	}
	if len(c.Peers) > 0 {
		errs = append(errs, c.checkAddresses()...)
	}
	errs = append(errs, duplicates(c.Peers)...)
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.HeartbeatTimeout < 5*time.Millisecond || c.ElectionTimeout < c.HeartbeatTimeout {
		errs = append(errs, fmt.Errorf("heartbeat timeout %v and election timeout %v: "+
			"the first must be at least 5ms and the second no less", c.HeartbeatTimeout, c.ElectionTimeout))
	}
	return errors.Join(errs...)
}

func (c Config) checkAddresses() []error {
	var errs []error
	if err := checkAddress(c.Address); err != nil {
		errs = append(errs, fmt.Errorf("address of this member: %w", err))
	} else if host, _, _ := net.SplitHostPort(c.Address); isUnspecified(host) {
		errs = append(errs, fmt.Errorf("address of this member: peers can't connect to %q", host))
	}
	if c.Reload == nil && !c.listed() {
		errs = append(errs, fmt.Errorf("this member, %s, is not one of the peers", c.ID))
	}
	return errs
}

// listed says whether this member is one of the peers. A list that can change may not
// name it any more, or not yet: it has to run nevertheless, as its vote counts until it
// is taken, and waits if it has none.
func (c Config) listed() bool {
	return slices.ContainsFunc(c.Peers, func(p Peer) bool { return p.ID == c.ID })
}

func duplicates(peers []Peer) []error {
	var errs []error
	ids, addresses := map[string]bool{}, map[string]bool{}
	for _, p := range peers {
		if ids[p.ID] || addresses[p.Address] {
			errs = append(errs, fmt.Errorf("peer %s=%s: ID or address is listed twice", p.ID, p.Address))
		}
		ids[p.ID], addresses[p.Address] = true, true
	}
	return errs
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q has no valid port", address)
	}
	return nil
}

func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
