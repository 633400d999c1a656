package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxRead bounds one read: 16 pages, as in Mesos.
var maxRead = 16 * int64(os.Getpagesize())

// Content is a piece of a file.
type Content struct {
	// Size is that of the whole file, in bytes.
	Size int64
	// Data is what was asked for, at most 16 pages.
	Data []byte
}

// Read reads from a file. length may be nil, for as much as possible. At or
// behind the end there is no data, which is no error.
func (f *Files) Read(ctx context.Context, virtual string, offset int64, length *int64) (Content, error) {
	if offset < 0 || (length != nil && *length < 0) {
		return Content{}, invalid("Negative offset or length provided")
	}
	t, err := f.find(ctx, virtual)
	if err != nil {
		return Content{}, err
	}
	var content Content
	err = t.openFile("read", func(file *os.File, info fs.FileInfo) error {
		content.Size = info.Size()
		n := min(content.Size-offset, maxRead)
		if length != nil {
			n = min(n, *length)
		}
		content.Data, err = readAt(file, offset, n)
		return err
	})
	return content, err
}

func readAt(file io.ReaderAt, offset, n int64) ([]byte, error) {
	if n <= 0 {
		return nil, nil
	}
	data := make([]byte, n)
	got, err := file.ReadAt(data, offset)
	if err != nil && !errors.Is(err, io.EOF) { // it may have been truncated meanwhile
		return nil, fmt.Errorf("reading: %w", err)
	}
	return data[:got], nil
}
