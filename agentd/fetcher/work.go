package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// work fetches into one sandbox.
type work struct {
	cfg    Config
	root   *os.Root
	client *http.Client
	log    io.Writer
}

// fetch brings one file, and does with it what was asked for.
func (w *work) fetch(ctx context.Context, i item) error {
	name, err := i.target()
	if err != nil {
		return err
	}
	if i.CacheFile != "" && i.Extract && !i.Executable {
		extracted, err := w.extractCached(i)
		if err != nil {
			return fmt.Errorf("extracting %s: %w", name, err)
		}
		if extracted {
			fmt.Fprintf(w.log, "Extracted '%s' from the cache\n", i.URI)
			return nil
		}
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := w.root.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making directory %s: %w", dir, err)
		}
	}
	if err := w.obtain(ctx, i, name); err != nil {
		return err
	}
	fmt.Fprintf(w.log, "Fetched '%s' to '%s'\n", i.URI, filepath.Join(w.root.Name(), name))
	switch {
	case i.Executable:
		return w.root.Chmod(name, 0o755)
	case i.Extract && i.CacheFile == "":
		extracted, err := w.extract(name)
		if err != nil {
			return fmt.Errorf("extracting %s: %w", name, err)
		}
		if extracted {
			fmt.Fprintf(w.log, "Extracted '%s'\n", name)
		}
	}
	return nil
}

// obtain gets an item from the cache, or from where it is.
func (w *work) obtain(ctx context.Context, i item, name string) error {
	if i.CacheFile != "" {
		fmt.Fprintf(w.log, "Fetching '%s' from the cache\n", i.URI)
		return w.copy(i.CacheFile, name)
	}
	fmt.Fprintf(w.log, "Fetching '%s' directly into the sandbox directory\n", i.URI)
	return w.download(ctx, i.URI, name)
}

// size is how large a file will be, as far as that can be told before.
func (w *work) size(ctx context.Context, uri string) (int64, error) {
	path, local, err := localPath(uri, w.cfg.FrameworksHome)
	if err != nil {
		return 0, err
	}
	if local {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	switch scheme, _, _ := strings.Cut(uri, "://"); scheme {
	case "http", "https":
	case "ftp", "ftps":
		return 0, errors.New("its size can't be told beforehand")
	default:
		return w.hadoopSize(ctx, uri)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.StallTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, uri, nil)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrURI, err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 0 {
		return 0, fmt.Errorf("the server answered %s and length %d", resp.Status, resp.ContentLength)
	}
	return resp.ContentLength, nil
}

// userAgent is what servers are told.
const userAgent = "mesos-fetcher"

// download gets the bytes from wherever they are.
func (w *work) download(ctx context.Context, uri, name string) error {
	path, local, err := localPath(uri, w.cfg.FrameworksHome)
	if err != nil {
		return err
	}
	scheme, _, _ := strings.Cut(uri, "://")
	switch {
	case local:
		return w.copy(path, name)
	case scheme == "http" || scheme == "https":
		return w.get(ctx, uri, name)
	case scheme == "ftp" || scheme == "ftps":
		return fmt.Errorf("%w: %s is not supported", ErrURI, scheme)
	}
	return w.hadoop(ctx, uri, name)
}

// copy copies a file of the node, with its permissions for an executable.
func (w *work) copy(path, name string) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return w.write(name, src, info.Mode().Perm())
}

// write makes a new file: what was there, a link perhaps, is not written through.
func (w *work) write(name string, from io.Reader, mode fs.FileMode) error {
	if err := w.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(from, w.cfg.MaxBytes+1))
	if err == nil && n > w.cfg.MaxBytes {
		err = fmt.Errorf("%w of %d bytes", ErrTooLarge, w.cfg.MaxBytes)
	}
	return errors.Join(err, f.Close())
}

func newClient(cfg Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = cfg.StallTimeout
	t.DisableCompression = true // the file as it is
	return &http.Client{Transport: t}
}

// get downloads. Only a 200 is the file.
func (w *work) get(ctx context.Context, uri, name string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURI, err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if resp.ContentLength > w.cfg.MaxBytes {
		return fmt.Errorf("%w of %d bytes", ErrTooLarge, w.cfg.MaxBytes)
	}
	body := &watched{Reader: resp.Body, wait: w.cfg.StallTimeout}
	body.timer = time.AfterFunc(w.cfg.StallTimeout, func() {
		cancel(fmt.Errorf("no data for %v", w.cfg.StallTimeout))
	})
	defer body.timer.Stop()
	err = w.write(name, body, 0o644)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// watched puts a timer off with everything that is read.
type watched struct {
	io.Reader
	timer *time.Timer
	wait  time.Duration
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.timer.Reset(r.wait)
	}
	return n, err
}
