package launch

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// System calls and flags that package syscall lacks. The numbers are those of all
// architectures. See open_tree(2) and move_mount(2); Linux has them since 5.2.
const (
	sysOpenTree  = 428
	sysMoveMount = 429

	openTreeClone       = 1
	atFDCWD             = -100
	atSymlinkNoFollow   = 0x100
	moveMountFEmptyPath = 4
)

// mount mounts. A bind mount becomes read-only by a second step only.
func (m *Mount) mount() error {
	if m.Namespace != "" {
		return m.bring()
	}
	if m.Dir != "" {
		if err := os.Chdir(m.Dir); err != nil {
			return err
		}
		defer os.Chdir("/")
	}
	var flags uintptr
	if m.ReadOnly {
		flags = syscall.MS_RDONLY
	}
	if m.Type != "" {
		return syscall.Mount(m.Source, m.Target, m.Type, flags, m.Data)
	}
	if err := syscall.Mount(m.Source, m.Target, "", syscall.MS_BIND, ""); err != nil || !m.ReadOnly {
		return err
	}
	return syscall.Mount("", m.Target, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, "")
}

// bring binds what another mount namespace has: the kernel lets nobody name it from here,
// but takes a copy of the mount that was made there.
func (m *Mount) bring() error {
	tree, err := treeOf(m.Namespace, m.Source)
	if err != nil {
		return err
	}
	defer syscall.Close(tree)
	empty, err1 := syscall.BytePtrFromString("")
	target, err2 := syscall.BytePtrFromString(m.Target)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	cwd := atFDCWD
	_, _, errno := syscall.RawSyscall6(sysMoveMount, uintptr(tree), uintptr(unsafe.Pointer(empty)),
		uintptr(cwd), uintptr(unsafe.Pointer(target)), moveMountFEmptyPath, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// treeOf copies the mount of a directory in a mount namespace, from a thread that ends with it.
func treeOf(namespace, dir string) (tree int, err error) {
	path, err := syscall.BytePtrFromString(dir)
	if err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock
		if err = enter([]string{namespace}); err != nil {
			return
		}
		cwd := atFDCWD
		fd, _, errno := syscall.RawSyscall(sysOpenTree, uintptr(cwd), uintptr(unsafe.Pointer(path)),
			openTreeClone|syscall.O_CLOEXEC|atSymlinkNoFollow)
		if errno != 0 {
			err = errno
			return
		}
		tree = int(fd)
	}()
	<-done
	return tree, err
}
