package xfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's numbers, of include/uapi/linux/{fs,quota,dqblk_xfs,magic}.h.
const (
	magicXFS = 0x58465342

	getAttributes  = 0x801c581f // FS_IOC_FSGETXATTR
	setAttributes  = 0x401c5820 // FS_IOC_FSSETXATTR
	projectInherit = 0x200      // FS_XFLAG_PROJINHERIT

	projectQuota  = 2 // PRJQUOTA
	quotaOn       = 'X'<<8 + 1
	getQuota      = 'X'<<8 + 3
	setLimits     = 'X'<<8 + 4
	getStatus     = 'X'<<8 + 8
	quotaVersion  = 1 // FS_DQUOT_VERSION
	statusVersion = 1 // FS_QSTATV_VERSION1
	ofProject     = 2 // FS_PROJ_QUOTA
	maskSoft      = 1 << 2
	maskHard      = 1 << 3
	accounted     = 1 << 4 // FS_QUOTA_PDQ_ACCT
	enforced      = 1 << 5 // FS_QUOTA_PDQ_ENFD

	// blockSize is the unit of quotas.
	blockSize = 512
)

// attributes are struct fsxattr.
type attributes struct {
	flags, extentSize, extents, project, cowExtentSize uint32
	_                                                  [8]byte
}

// diskQuota is struct fs_disk_quota, as far as blocks go.
type diskQuota struct {
	version, flags            int8
	mask                      uint16
	id                        uint32
	hard, soft, _, _, used, _ uint64
	_, _                      int32
	_, _                      uint16
	_                         [4]int8
	_, _, _                   uint64
	_                         int32
	_                         uint16
	_                         int16
	_                         [8]byte
}

// quotaStatus is struct fs_quota_statv, as far as its flags go.
type quotaStatus struct {
	version int8
	_       uint8
	flags   uint16
	_       [156]byte
}

// filesystem is an XFS file system that is mounted. quotactl wants any open file of it.
type filesystem struct{ dir string }

// ErrUnsupported says that a directory is on a file system without project quotas.
var ErrUnsupported = errors.New("no XFS file system with project quotas")

// filesystemOf finds the file system that a directory is on, by a directory of it that
// stays: its mount point.
func filesystemOf(dir string) (filesystem, error) {
	var want unix.Stat_t
	if err := unix.Stat(dir, &want); err != nil {
		return filesystem{}, fmt.Errorf("looking for the file system of %s: %w", dir, err)
	}
	for dir != "/" {
		var above unix.Stat_t
		if err := unix.Stat(filepath.Dir(dir), &above); err != nil {
			return filesystem{}, fmt.Errorf("looking for the file system of %s: %w", dir, err)
		}
		if above.Dev != want.Dev {
			break
		}
		dir = filepath.Dir(dir)
	}
	return filesystem{dir}, nil
}

// check makes sure that the file system counts, and with enforce that it limits.
func (f filesystem) check(enforce bool) error {
	var s unix.Statfs_t
	if err := unix.Statfs(f.dir, &s); err != nil {
		return fmt.Errorf("looking at the file system of %s: %w", f.dir, err)
	}
	if s.Type != magicXFS {
		return fmt.Errorf("%w at %s: it is of another type", ErrUnsupported, f.dir)
	}
	status := quotaStatus{version: statusVersion}
	err := f.control(getStatus, 0, unsafe.Pointer(&status))
	if errors.Is(err, unix.ENOSYS) || err == nil && status.flags&accounted == 0 {
		return fmt.Errorf("%w at %s: mount it with the option prjquota", ErrUnsupported, f.dir)
	} else if err != nil {
		return err
	}
	if !enforce || status.flags&enforced != 0 {
		return nil
	}
	on := uint32(enforced)
	return f.control(quotaOn, 0, unsafe.Pointer(&on))
}

// limit sets the limits of a project, in bytes. 0 is none.
func (f filesystem) limit(project uint32, soft, hard uint64) error {
	q := diskQuota{
		version: quotaVersion, flags: ofProject, mask: maskSoft | maskHard, id: project,
		soft: blocks(soft), hard: blocks(hard),
	}
	if err := f.control(setLimits, project, unsafe.Pointer(&q)); err != nil {
		return fmt.Errorf("limiting project %d: %w", project, err)
	}
	return nil
}

// blocks rounds up: a limit of less than a block would be none.
func blocks(bytes uint64) uint64 { return (bytes + blockSize - 1) / blockSize }

// used is what a project takes, in bytes.
func (f filesystem) used(project uint32) (uint64, error) {
	q := diskQuota{version: quotaVersion, flags: ofProject, id: project}
	err := f.control(getQuota, project, unsafe.Pointer(&q))
	if errors.Is(err, unix.ENOENT) {
		return 0, nil // it never had a block
	} else if err != nil {
		return 0, fmt.Errorf("measuring project %d: %w", project, err)
	}
	return q.used * blockSize, nil
}

// control is quotactl(2). Kernels before 5.14 know file systems by their device only.
func (f filesystem) control(command int, id uint32, arg unsafe.Pointer) error {
	at, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer at.Close()
	operation := uintptr(command<<8 | projectQuota)
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, at.Fd(), operation, uintptr(id), uintptr(arg), 0, 0)
	if errno == unix.ENOSYS {
		errno, err = byDevice(f.dir, operation, id, arg)
		if err != nil {
			return err
		}
	}
	if errno != 0 {
		return fmt.Errorf("quotactl on %s: %w", f.dir, errno)
	}
	return nil
}

func byDevice(dir string, operation uintptr, id uint32, arg unsafe.Pointer) (unix.Errno, error) {
	device, err := deviceOf(dir)
	if err != nil {
		return 0, err
	}
	name, err := unix.BytePtrFromString(device)
	if err != nil {
		return 0, err
	}
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL, operation, uintptr(unsafe.Pointer(name)), uintptr(id), uintptr(arg), 0, 0)
	return errno, nil
}

// projectOf is the project of a file or directory; 0 for none.
func projectOf(f *os.File) (attributes, error) {
	var a attributes
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), getAttributes, uintptr(unsafe.Pointer(&a)))
	if errno != 0 {
		return a, fmt.Errorf("asking for the project of %s: %w", f.Name(), errno)
	}
	return a, nil
}

// project is the project of a directory; 0 for none.
func project(dir string) (uint32, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	a, err := projectOf(f)
	return a.project, err
}

// assign makes a directory and all in it a project's. What is made in it later is so by
// itself. What other file systems are mounted there is left alone, and so are links
// and special files, which take no blocks.
func assign(dir string, project uint32) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("assigning project %d: %w", project, err)
	}
	defer root.Close()
	top, err := root.Stat(".")
	if err != nil {
		return err
	}
	device := top.Sys().(*unixStat).Dev
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		return assignOne(root, path, project, uint64(device), e.IsDir()) //nolint:unconvert // 32 bits on some platforms
	})
	if err != nil {
		return fmt.Errorf("assigning project %d to %s: %w", project, dir, err)
	}
	return nil
}

// assignOne must not be led elsewhere by who owns the directory.
func assignOne(root *os.Root, path string, project uint32, device uint64, isDir bool) error {
	f, err := root.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if uint64(info.Sys().(*unixStat).Dev) != device { //nolint:unconvert // see above
		if isDir {
			return fs.SkipDir
		}
		return nil
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil
	}
	a, err := projectOf(f)
	if err != nil || a.project == project && a.flags&projectInherit != 0 {
		return err
	}
	a.project = project
	a.flags |= projectInherit
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), setAttributes, uintptr(unsafe.Pointer(&a))); errno != 0 {
		return fmt.Errorf("%s: %w", path, errno)
	}
	return nil
}
