package memfile

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func create(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func send(socket, file uintptr, offset int64, n int) (int, error) {
	for {
		sent, err := syscall.Sendfile(int(socket), int(file), &offset, n)
		if !errors.Is(err, syscall.EINTR) {
			return max(sent, 0), err
		}
	}
}
