package masterclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Registry returns what the leading master keeps in its registry, whose JSON it also returns as it
// came. It works with any Mesos 1.x.
func (c *Client) Registry(ctx context.Context) (*registry.Registry, []byte, error) {
	leader, err := c.leader(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("looking for the leading master: %w", err)
	}
	r, err := c.get(ctx, leader+"/registrar(1)/registry", c.http)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the registry: %w", err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("reading the registry: %w", statusError(r))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the registry: %w", err)
	}
	found := &registry.Registry{}
	if err := codec.Unmarshal(codec.JSON, body, found); err != nil {
		return nil, nil, fmt.Errorf("reading the registry: %w", err)
	}
	if found.GetMaster() == nil {
		return nil, nil, errors.New("reading the registry: the answer is not a leader's registry")
	}
	return found, body, nil
}

// leader returns the base URL of the leading master: /registrar(1)/registry is each master's own.
func (c *Client) leader(ctx context.Context) (string, error) {
	stay := *c.http
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.get(ctx, c.base+"/redirect", &stay)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusTemporaryRedirect {
		return "", statusError(r)
	}
	base, err := url.Parse(c.base)
	if err != nil {
		return "", err
	}
	location, err := base.Parse(r.Header.Get("Location"))
	if err != nil {
		return "", err
	}
	return location.Scheme + "://" + location.Host, nil
}

func (c *Client) get(ctx context.Context, url string, client *http.Client) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", codec.JSON)
	c.authenticate(r)
	return client.Do(r)
}
