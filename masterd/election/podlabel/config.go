package podlabel

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// Config says which pod is labelled and how to reach the API server.
type Config struct {
	// Label is the key of the label, for example "mesos.dev/leader". Its value
	// is "true" while the master leads; otherwise the label is absent.
	Label string
	// Namespace and Pod name the pod that the process runs in.
	Namespace, Pod string

	// API says how to reach the API server.
	API kubeapi.Config

	// MinBackoff and MaxBackoff bound the pause after a failure, which doubles
	// each time. Defaults 200 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration
	// Resync is how often the label is asserted although nothing changed, in
	// case somebody else touched it. Default 1 min.
	Resync time.Duration
}

// InPod fills a Config from the environment of a pod: POD_NAME and
// POD_NAMESPACE from the downward API, the API server's address from the
// kubelet. getenv is os.Getenv but in tests.
func InPod(label string, getenv func(string) string) (Config, error) {
	c := Config{
		Label:     label,
		Namespace: getenv("POD_NAMESPACE"),
		Pod:       getenv("POD_NAME"),
		API:       kubeapi.InPod(getenv),
	}
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("label of the leader's pod: %w", err)
	}
	return c, nil
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.MinBackoff, 200 * time.Millisecond},
		{&c.MaxBackoff, 10 * time.Second},
		{&c.Resync, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}

// Validate reports what is missing or wrong.
func (c Config) Validate() error {
	errs := []error{c.API.Validate()}
	for _, required := range []struct{ value, what string }{
		{c.Label, "no label key"},
		{c.Pod, "POD_NAME is not set"},
		{c.Namespace, "POD_NAMESPACE is not set"},
	} {
		if required.value == "" {
			errs = append(errs, errors.New(required.what))
		}
	}
	if strings.ContainsAny(c.Label, "= \t\"") {
		errs = append(errs, fmt.Errorf("%q is not the key of a label", c.Label))
	}
	if c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff || c.Resync < 0 {
		errs = append(errs, errors.New("a duration is negative or the bounds of the back-off are reversed"))
	}
	return errors.Join(errs...)
}
