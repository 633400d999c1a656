package podlabel

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

// maxAnswer bounds what is read of an answer: enough for a Status to explain
// itself in the log, and pods are not needed.
const maxAnswer = 4 << 10

// client patches one pod.
type client struct {
	cfg  Config
	http *http.Client
	url  string
}

func newClient(cfg Config) (*client, error) {
	transport := &http.Transport{MaxIdleConns: 1, ForceAttemptHTTP2: true}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the API server's certificates: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the API server's certificates: none in %s", cfg.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	path := "/api/v1/namespaces/" + url.PathEscape(cfg.Namespace) + "/pods/" + url.PathEscape(cfg.Pod)
	return &client{
		cfg:  cfg,
		http: &http.Client{Transport: transport},
		url:  cfg.Server + path,
	}, nil
}

// apply sets or removes the label.
func (c *client) apply(ctx context.Context, leading bool) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := c.request(ctx, leading)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("patching pod %s/%s: %w", c.cfg.Namespace, c.cfg.Pod, err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // only for the message below
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("patching pod %s/%s: %s: %s",
			c.cfg.Namespace, c.cfg.Pod, resp.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// request makes a JSON merge patch, in which null removes.
func (c *client) request(ctx context.Context, leading bool) (*http.Request, error) {
	var value any
	if leading {
		value = "true"
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"labels": map[string]any{c.cfg.Label: value}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the patch: %w", err)
	}
	token, err := os.ReadFile(c.cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the service account's token: %w", err)
	}
	if token = bytes.TrimSpace(token); len(token) == 0 {
		return nil, errors.New("reading the service account's token: the file is empty")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the patch: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", "application/merge-patch+json")
	req.Header.Set("Accept", "application/json")
	return req, nil
}
