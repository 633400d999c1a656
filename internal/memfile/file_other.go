//go:build !linux

package memfile

import "os"

func create(string) (*os.File, error) { return nil, ErrUnsupported }

func send(uintptr, uintptr, int64, int) (int, error) { return 0, ErrUnsupported }
