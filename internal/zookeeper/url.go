package zookeeper

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Scheme begins the URLs of ensembles.
const Scheme = "zk://"

// defaultPort is ZooKeeper's client port.
const defaultPort = "2181"

// URL names an ensemble and a path in it: zk://user:password@h1:2181,h2:2181/path.
type URL struct {
	// Credentials are "user:password" of the digest scheme; "" for none.
	Credentials string
	// Servers are "host:port".
	Servers []string
	// Path begins with a slash and doesn't end with one, but for "/" itself.
	Path string
}

// ParseURL reads a URL. Errors don't show its password.
func ParseURL(text string) (URL, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), Scheme)
	if !ok {
		return URL{}, errors.New("a ZooKeeper URL begins with " + Scheme)
	}
	// A password may hold anything but a slash, servers no "@".
	authority, path, _ := strings.Cut(rest, "/")
	u := URL{Path: "/" + strings.Trim(path, "/")}
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		u.Credentials, authority = authority[:i], authority[i+1:]
		if user, _, ok := strings.Cut(u.Credentials, ":"); !ok || user == "" {
			return URL{}, errors.New("credentials of a ZooKeeper URL are user:password")
		}
	}
	if strings.Contains(u.Path, "//") {
		return URL{}, fmt.Errorf("ZooKeeper path %q has an empty part", u.Path)
	}
	for server := range strings.SplitSeq(authority, ",") {
		address, err := serverAddress(strings.TrimSpace(server))
		if err != nil {
			return URL{}, err
		}
		u.Servers = append(u.Servers, address)
	}
	return u, nil
}

func serverAddress(server string) (string, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = strings.Trim(server, "[]"), defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
		return "", fmt.Errorf("ZooKeeper server %q is not host:port", server)
	}
	return net.JoinHostPort(host, port), nil
}

// String is the URL without its password.
func (u URL) String() string {
	credentials := ""
	if user, _, ok := strings.Cut(u.Credentials, ":"); ok {
		credentials = user + ":***@"
	}
	return Scheme + credentials + strings.Join(u.Servers, ",") + u.Path
}

// Join returns the path of a node below the URL's.
func (u URL) Join(parts ...string) string {
	return strings.TrimRight(u.Path, "/") + "/" + strings.Join(parts, "/")
}
