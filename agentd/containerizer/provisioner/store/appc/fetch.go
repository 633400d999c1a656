package appc

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/stall"
)

// fetch brings an image into the store and returns its ID.
func (s *Store) fetch(ctx context.Context, w wanted) (string, error) {
	in, err := s.open(ctx, w)
	if err != nil {
		return "", err
	}
	defer in.Close()
	staging, err := os.MkdirTemp(s.stagingDir(), "")
	if err != nil {
		return "", fmt.Errorf("making a staging directory: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := os.Chmod(staging, 0o755); err != nil {
		return "", err
	}
	id, err := unpack(ctx, in, staging)
	if err != nil {
		return "", fmt.Errorf("unpacking image %s: %w", w.name, err)
	}
	if w.id != "" && w.id != id {
		return "", fmt.Errorf("%w: what is found as %s has the ID %s", store.ErrInvalid, w.name, id)
	}
	s.cfg.Log.Info("AppC image fetched", "image", w.name, "id", id)
	err = os.Rename(staging, s.image(id))
	if err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) {
		return "", fmt.Errorf("keeping image %s: %w", w.name, err)
	}
	return id, s.add(id)
}

// open opens an image where its name says that it is.
func (s *Store) open(ctx context.Context, w wanted) (io.ReadCloser, error) {
	path, u, err := w.locate(s.cfg.Prefix)
	if err != nil {
		return nil, err
	}
	if u == nil {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
		}
		return f, err
	}
	base := s.cfg.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	client := http.Client{Transport: &stall.Transport{Base: base, After: s.cfg.StallTimeout}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err := fmt.Errorf("%s answers %s", u, resp.Status)
		if resp.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w: %w", store.ErrNotFound, err)
		}
		return nil, err
	}
	return resp.Body, nil
}

// unpack unpacks an archive, compressed or not, and returns the ID of what is in it.
func unpack(ctx context.Context, in io.Reader, dir string) (string, error) {
	buffered := bufio.NewReader(in)
	var archive io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return "", fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
		archive = unzipped
	}
	hash := sha512.New()
	read := io.TeeReader(archive, hash)
	if err := layer.Unpack(ctx, read, dir, layer.Plain, layer.DefaultLimits()); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(read, layer.DefaultLimits().Bytes)); err != nil {
		return "", fmt.Errorf("reading the rest: %w", err)
	}
	return idPrefix + hex.EncodeToString(hash.Sum(nil)), check(dir)
}

// check makes sure that an image has what it must, and that no link leads to it.
func check(dir string) error {
	for name, isDir := range map[string]bool{"rootfs": true, "manifest": false} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.IsDir() != isDir || !isDir && !info.Mode().IsRegular() {
			return fmt.Errorf("%w: it has no %s", store.ErrInvalid, name)
		}
		if !isDir && info.Size() > maxManifest {
			return fmt.Errorf("%w: its manifest has %d bytes", store.ErrInvalid, info.Size())
		}
	}
	return nil
}

// maxManifest bounds a manifest, which is read into memory.
const maxManifest = 8 << 20
