package fetcher

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Main is the process that fetches, as the task's user. It returns its exit code.
func Main([]string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	answer, err := serve(ctx, os.Stdin, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		answer.Error = err.Error()
	}
	if json.NewEncoder(os.Stdout).Encode(answer) != nil || err != nil {
		return 1
	}
	return 0
}

func serve(ctx context.Context, in io.Reader, log io.Writer) (result, error) {
	var req request
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return result{}, fmt.Errorf("this program is started by an agent: reading its request: %w", err)
	}
	w := &work{cfg: req.Config, client: newClient(req.Config), log: log}
	if req.Op == opSize {
		size, err := w.size(ctx, req.Items[0].URI)
		return result{Size: size}, err
	}
	dir := req.Sandbox
	if req.Op == opFill {
		dir = filepath.Dir(req.Items[0].CacheFile)
	}
	var err error
	if w.root, err = os.OpenRoot(dir); err != nil {
		return result{}, fmt.Errorf("opening the directory to fetch to: %w", err)
	}
	defer w.root.Close()
	if req.Op == opFill {
		return result{}, w.download(ctx, req.Items[0].URI, filepath.Base(req.Items[0].CacheFile))
	}
	for _, i := range req.Items {
		if err := w.fetch(ctx, i); err != nil {
			return result{}, fmt.Errorf("Failed to fetch '%s': %w", i.URI, err)
		}
	}
	fmt.Fprintf(log, "Successfully fetched all URIs into '%s'\n", dir)
	return result{}, nil
}
