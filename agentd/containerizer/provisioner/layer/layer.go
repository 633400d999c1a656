package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
)

// Form is what becomes of whiteouts.
type Form int

const (
	// Plain keeps them as the files that they are in the archive.
	Plain Form = iota
	// Overlay makes them what the kernel's overlay file system takes for one: a device
	// 0:0, and the attribute trusted.overlay.opaque. Needs root.
	Overlay
	// Applied removes what they name, of layers that were unpacked into the same
	// directory before.
	Applied
)

// Limits bound what one layer may unpack to.
type Limits struct {
	// Entries is how many files there may be.
	Entries int
	// Bytes is how long they may be together.
	Bytes int64
}

// DefaultLimits are beyond any image that is good for something: the largest in use, with
// machine learning frameworks in them, have some 20 GB and 500,000 files.
func DefaultLimits() Limits { return Limits{Entries: 8 << 20, Bytes: 256 << 30} }

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnsafe says that a layer reached for what is not its own.
	ErrUnsafe = errors.New("unsafe layer")
	// ErrTooLarge says that a layer exceeds the limits.
	ErrTooLarge = errors.New("layer too large")
)

// Unpack unpacks a tar archive below a directory, which exists. After an error a part
// of it may be there.
func Unpack(ctx context.Context, archive io.Reader, dir string, form Form, limits Limits) error {
	u, err := newUnpacker(dir, form, limits)
	if err != nil {
		return err
	}
	defer u.close()
	for in := tar.NewReader(archive); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return u.finish()
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("reading the layer: %w", err)
		}
		if err := u.entry(ctx, h, in); err != nil {
			return fmt.Errorf("unpacking %q: %w", h.Name, err)
		}
	}
}
