package fetcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// Fetcher implements the containerizer's Fetcher by processes of its own.
type Fetcher struct {
	cfg     Config
	spawner *spawn.Spawner
}

var _ mesos.Fetcher = (*Fetcher)(nil)

// New returns a Fetcher that starts its processes by spawner.
func New(cfg Config, spawner *spawn.Spawner) (*Fetcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Fetcher{cfg: cfg, spawner: spawner}, nil
}

// request is what the process is told on its standard input, and result what
// it answers on its standard output.
type (
	request struct {
		Config  Config `json:"config"`
		Sandbox string `json:"sandbox"`
		Items   []item `json:"items"`
	}
	result struct {
		Error string `json:"error"`
	}
)

// environment of the process. What leads to a proxy or to certificates is
// the agent's.
func environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=2"}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "HADOOP_HOME", "JAVA_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Fetch fetches everything, or returns why that can't be.
func (f *Fetcher) Fetch(ctx context.Context, r mesos.FetchRequest) error {
	if len(r.URIs) == 0 {
		return nil
	}
	req := request{Config: f.cfg, Sandbox: r.Sandbox}
	for _, u := range r.URIs {
		i := itemOf(u)
		if _, err := i.target(); err != nil {
			return fmt.Errorf("Failed to fetch '%s': %w", i.URI, err)
		}
		req.Items = append(req.Items, i)
	}
	in, out, err := pipes(req)
	if err != nil {
		return fmt.Errorf("starting the fetcher: %w", err)
	}
	defer out.read.Close()
	child, err := f.spawner.Start(ctx, spawn.Command{
		Args: []string{Name}, Env: environment(), Dir: r.Sandbox,
		Files: []*os.File{in, out.write, r.Output}, Credential: r.Credential,
	})
	in.Close()
	out.write.Close()
	if err != nil {
		return fmt.Errorf("starting the fetcher: %w", err)
	}
	status, err := child.Wait(ctx)
	if err != nil {
		child.Kill()
		return err
	}
	return answer(out.read, status)
}

// pipe has two ends.
type pipe struct{ read, write *os.File }

// pipes returns the process's standard input, with the request in it, and a pipe
// for its answer.
func pipes(req request) (in *os.File, out pipe, err error) {
	data, err := json.Marshal(req)
	if err != nil {
		return nil, pipe{}, err
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, pipe{}, err
	}
	out.read, out.write, err = os.Pipe()
	if err != nil {
		return nil, pipe{}, errors.Join(err, inRead.Close(), inWrite.Close())
	}
	go func() { // it may be more than a pipe holds
		_, _ = inWrite.Write(data)
		inWrite.Close()
	}()
	return inRead, out, nil
}

// maxAnswer bounds what is read of an error message.
const maxAnswer = 64 << 10

func answer(from io.Reader, status *syscall.WaitStatus) error {
	if status != nil && status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	var r result
	if err := json.NewDecoder(io.LimitReader(from, maxAnswer)).Decode(&r); err != nil || r.Error == "" {
		return errors.New("the fetcher ended without a word; see the sandbox's stderr")
	}
	return errors.New(r.Error)
}
