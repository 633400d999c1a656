package check

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// maxBody bounds what is read of an answer, of which only the status matters.
const maxBody = 64 << 10

// loopback is the address of a task in its own network.
func loopback(protocol mesos.NetworkInfo_Protocol, port uint32) string {
	host := "127.0.0.1"
	if protocol == mesos.NetworkInfo_IPv6 {
		host = "::1"
	}
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}

// httpProbe makes a GET and follows redirects. Certificates are not looked at: what is
// checked is whether the task answers, and its own address stands in none.
func httpProbe(scheme string, protocol mesos.NetworkInfo_Protocol, port uint32, path string) probe {
	url := scheme + "://" + loopback(protocol, port) + path
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, Proxy: nil,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	return func(ctx context.Context) (outcome, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return outcome{}, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return outcome{}, err
		}
		defer resp.Body.Close()
		_, _ = io.CopyN(io.Discard, resp.Body, maxBody) // its end is of no interest
		return outcome{code: new(uint32(resp.StatusCode))}, nil
	}
}

// tcpProbe connects. A connection that is refused is a result, not an error.
func tcpProbe(protocol mesos.NetworkInfo_Protocol, port uint32) probe {
	address := loopback(protocol, port)
	return func(ctx context.Context) (outcome, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return outcome{}, nil
		case err != nil:
			return outcome{}, err
		}
		return outcome{connected: true}, conn.Close()
	}
}
