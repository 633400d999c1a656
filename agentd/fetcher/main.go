package fetcher

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main is the process that fetches, as the task's user. It returns its exit code.
func Main([]string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, os.Stdin, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		_ = json.NewEncoder(os.Stdout).Encode(result{Error: err.Error()})
		return 1
	}
	return 0
}

func serve(ctx context.Context, in io.Reader, log io.Writer) error {
	var req request
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("this program is started by an agent: reading its request: %w", err)
	}
	root, err := os.OpenRoot(req.Sandbox)
	if err != nil {
		return fmt.Errorf("opening the sandbox: %w", err)
	}
	defer root.Close()
	w := &work{cfg: req.Config, root: root, client: newClient(req.Config), log: log}
	for _, i := range req.Items {
		if err := w.fetch(ctx, i); err != nil {
			return fmt.Errorf("Failed to fetch '%s': %w", i.URI, err)
		}
	}
	return nil
}
