package fetcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// Fetcher implements the containerizer's Fetcher by processes of its own.
type Fetcher struct {
	cfg               Config
	spawner           *spawn.Spawner
	cache             *cache // nil without
	succeeded, failed atomic.Uint64
}

// Stats count what the fetcher did.
type Stats struct {
	// Succeeded and Failed count containers with something to fetch.
	Succeeded, Failed uint64
	// CacheUsed and CacheTotal are in bytes.
	CacheUsed, CacheTotal int64
}

// Stats returns the counts since the fetcher was made.
func (f *Fetcher) Stats() Stats {
	s := Stats{Succeeded: f.succeeded.Load(), Failed: f.failed.Load(), CacheTotal: f.cfg.CacheSize}
	if f.cache != nil {
		s.CacheUsed = f.cache.usage()
	}
	return s
}

var _ mesos.Fetcher = (*Fetcher)(nil)

// New returns a Fetcher that starts its processes by spawner.
func New(cfg Config, spawner *spawn.Spawner) (*Fetcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &Fetcher{cfg: cfg, spawner: spawner}
	if cfg.CacheSize > 0 {
		var err error
		if f.cache, err = newCache(cfg.CacheDir, cfg.CacheSize); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// What the process is to do. Without an operation it fetches all items into the
// sandbox.
const (
	// opSize asks how large the first item is.
	opSize = "size"
	// opFill downloads the first item to its cache file.
	opFill = "fill"
)

// request is what the process is told on its standard input, and result what
// it answers on its standard output.
type (
	request struct {
		Config  Config `json:"config"`
		Op      string `json:"op,omitempty"`
		Sandbox string `json:"sandbox"`
		Items   []item `json:"items"`
	}
	result struct {
		Error string `json:"error,omitempty"`
		Size  int64  `json:"size,omitempty"`
	}
)

// environment of the process. What leads to a proxy or to certificates is
// the agent's.
func environment(hadoop string) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=2"}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "HADOOP_HOME", "JAVA_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if hadoop != "" { // the last one counts
		env = append(env, "HADOOP_HOME="+hadoop)
	}
	return env
}

// Fetch fetches everything, or returns why that can't be.
func (f *Fetcher) Fetch(ctx context.Context, r mesos.FetchRequest) error {
	if len(r.URIs) == 0 {
		return nil
	}
	err := f.fetch(ctx, r)
	if err != nil {
		f.failed.Add(1)
	} else {
		f.succeeded.Add(1)
	}
	return err
}

func (f *Fetcher) fetch(ctx context.Context, r mesos.FetchRequest) error {
	req := request{Config: f.cfg, Sandbox: r.Sandbox}
	for _, u := range r.URIs {
		i := itemOf(u)
		if _, err := i.target(); err != nil {
			return fmt.Errorf("Could not fetch: %w", err)
		}
		req.Items = append(req.Items, i)
	}
	for n, u := range r.URIs {
		if u.GetCache() && f.cache != nil {
			if e := f.fromCache(ctx, r, &req.Items[n]); e != nil {
				defer f.cache.release(e)
			}
		}
	}
	_, err := f.process(ctx, r, req)
	return err
}

// process has a process do something, as the task's user.
func (f *Fetcher) process(ctx context.Context, r mesos.FetchRequest, req request) (result, error) {
	in, out, err := pipes(req)
	if err != nil {
		return result{}, fmt.Errorf("starting the fetcher: %w", err)
	}
	defer out.read.Close()
	child, err := f.spawner.Start(ctx, spawn.Command{
		Path: f.cfg.Binary, Args: []string{Name}, Env: environment(f.cfg.HadoopHome), Dir: r.Sandbox,
		Files: []*os.File{in, out.write, r.Output}, Credential: r.Credential,
	})
	in.Close()
	out.write.Close()
	if err != nil {
		return result{}, fmt.Errorf("starting the fetcher: %w", err)
	}
	status, err := child.Wait(ctx)
	if err != nil {
		child.Kill()
		return result{}, err
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

func answer(from io.Reader, status *syscall.WaitStatus) (result, error) {
	var r result
	err := json.NewDecoder(io.LimitReader(from, maxAnswer)).Decode(&r)
	switch {
	case r.Error != "":
		return r, errors.New(r.Error)
	case err != nil || status == nil || !status.Exited() || status.ExitStatus() != 0:
		return r, errors.New("the fetcher ended without a word; see the sandbox's stderr")
	}
	return r, nil
}
