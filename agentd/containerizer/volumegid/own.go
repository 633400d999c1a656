package volumegid

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// What makes a directory one of its group's: who is in it can make files there, and those
// are of the same group.
const groupBits = fs.ModeSetgid | 0o020

// own makes a volume and all in it a group's. shared sets or removes the bits by which
// the group shares directories. The owner may have containers at work in there: nothing
// that they do leads out of the volume.
func own(path string, gid int, shared bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return ownIn(filepath.Dir(path), filepath.Base(path), gid)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir():
			err = ownDir(root, name, gid, shared)
		case e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0:
			err = root.Lchown(name, -1, gid)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			return nil // it was there a moment ago
		}
		return err
	})
}

// ownIn is for a volume that is a file.
func ownIn(dir, name string, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Lchown(name, -1, gid)
}

func ownDir(root *os.Root, name string, gid int, shared bool) error {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := f.Chown(-1, gid); err != nil {
		return err
	}
	mode := info.Mode() | groupBits
	if !shared {
		mode = info.Mode() &^ groupBits
	}
	return f.Chmod(mode)
}

func uidOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

func gidOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Gid }
