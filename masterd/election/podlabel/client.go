package podlabel

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// client patches one pod.
type client struct {
	cfg Config
	api *kubeapi.Client
}

func newClient(cfg Config) (*client, error) {
	api, err := kubeapi.New(cfg.API)
	if err != nil {
		return nil, err
	}
	return &client{cfg: cfg, api: api}, nil
}

// apply sets or removes the label by a JSON merge patch, in which null removes.
func (c *client) apply(ctx context.Context, leading bool) error {
	var value any
	if leading {
		value = "true"
	}
	err := c.api.Do(ctx, kubeapi.Request{
		Method:      http.MethodPatch,
		Path:        "/api/v1/namespaces/" + url.PathEscape(c.cfg.Namespace) + "/pods/" + url.PathEscape(c.cfg.Pod),
		ContentType: "application/merge-patch+json",
		Body: map[string]any{
			"metadata": map[string]any{"labels": map[string]any{c.cfg.Label: value}},
		},
	})
	if err != nil {
		return fmt.Errorf("patching pod %s/%s: %w", c.cfg.Namespace, c.cfg.Pod, err)
	}
	return nil
}
