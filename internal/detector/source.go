package detector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

const (
	fileScheme = "file://"
	// defaultPort is where masters listen unless they are told otherwise.
	defaultPort = "5050"
	// maxFile bounds the file that says where masters are.
	maxFile = 64 << 10
)

// source is where to look: at masters, or into ZooKeeper.
type source struct {
	masters   []string // "host:port"
	zooKeeper *zookeeper.URL
}

// Validate says what is wrong with the text of a flag that tells where masters
// are. A file need not exist yet.
func Validate(text string) error {
	if strings.HasPrefix(text, fileScheme) {
		return nil
	}
	_, err := parse(text)
	return err
}

// load is parse for a text that may name a file.
func load(text string) (source, error) {
	path, ok := strings.CutPrefix(text, fileScheme)
	if !ok {
		return parse(text)
	}
	f, err := os.Open(path)
	if err != nil {
		return source{}, fmt.Errorf("reading where masters are: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return source{}, fmt.Errorf("reading where masters are: %w", err)
	}
	s, err := parse(string(data))
	if err != nil {
		return source{}, fmt.Errorf("reading where masters are: %s: %w", path, err)
	}
	return s, nil
}

func parse(text string) (source, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, zookeeper.Scheme) {
		u, err := zookeeper.ParseURL(text)
		return source{zooKeeper: &u}, err
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return source{}, fmt.Errorf("masters are host:port, zk:// or file://, not %s://", scheme)
	}
	var s source
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		if _, _, err := net.SplitHostPort(item); err != nil {
			item = net.JoinHostPort(strings.Trim(item, "[]"), defaultPort)
		}
		address, err := libprocess.ParseAddress(item)
		if err != nil {
			return source{}, fmt.Errorf("master %q: %w", item, err)
		}
		s.masters = append(s.masters, address.String())
	}
	if len(s.masters) == 0 {
		return source{}, errors.New("no master is named")
	}
	return s, nil
}

// addresses are those of all masters, in random order: a name may stand for
// several, of which some may be down.
func (d *Detector) addresses(ctx context.Context, masters []string) []string {
	var out []string
	for _, m := range masters {
		host, port, _ := net.SplitHostPort(m)
		if _, err := netip.ParseAddr(host); err == nil || d.cfg.Dial != nil {
			out = append(out, m)
			continue
		}
		found, err := d.cfg.Lookup(ctx, host)
		if err != nil || len(found) < 2 {
			out = append(out, m) // dialling says what is wrong
			continue
		}
		for _, ip := range found {
			out = append(out, net.JoinHostPort(ip, port))
		}
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
