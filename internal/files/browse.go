package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// maxEntries bounds a listing. A directory that holds more can't be listed:
// a task must not make its agent hold millions of names in memory.
const maxEntries = 100_000

// Browse lists a directory, sorted by name. A file lists as nothing.
func (f *Files) Browse(ctx context.Context, virtual string) (infos []*mesos.FileInfo, err error) {
	t, err := f.find(ctx, virtual)
	if err != nil {
		return nil, err
	}
	err = t.within(func(root *os.Root, rest string) error {
		if info, err := root.Stat(rest); err != nil || !info.IsDir() {
			return err
		}
		dir, err := root.OpenRoot(rest)
		if err != nil {
			return err
		}
		defer dir.Close()
		infos, err = listing{root, dir, rest}.infos(virtual)
		return err
	})
	return infos, err
}

// listing is a directory below what is attached.
type listing struct {
	root, dir *os.Root
	rest      string // of dir, relative to root
}

func (l listing) infos(virtual string) ([]*mesos.FileInfo, error) {
	names, err := names(l.dir)
	if err != nil {
		return nil, err
	}
	owners := owners{}
	base := strings.TrimSuffix(strings.TrimPrefix(virtual, scheme), "/") + "/"
	infos := make([]*mesos.FileInfo, 0, len(names))
	for _, name := range names {
		info, err := l.stat(name)
		if err != nil {
			continue // a link that leads nowhere, or a file that is gone
		}
		infos = append(infos, owners.fileInfo(base+name, info))
	}
	return infos, nil
}

// stat follows links as long as they stay below what is attached: one that
// leads outside is shown itself, so that a task learns nothing of its host.
func (l listing) stat(name string) (fs.FileInfo, error) {
	info, err := l.dir.Stat(name)
	if err == nil || nothing(err) {
		return info, err
	}
	inside, err := resolve(l.root, path.Join(l.rest, name))
	if _, leaves := errors.AsType[outside](err); leaves {
		return l.dir.Lstat(name)
	}
	if err != nil {
		return nil, err
	}
	return l.root.Stat(inside)
}

func names(dir *os.Root) ([]string, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxEntries + 1)
	if len(names) > maxEntries {
		return nil, fmt.Errorf("%w: the directory has more than %d entries", ErrInvalid, maxEntries)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// owners remembers names of users and groups for one listing.
type owners struct{ users, groups map[uint32]string }

func (o *owners) fileInfo(virtual string, info fs.FileInfo) *mesos.FileInfo {
	out := &mesos.FileInfo{
		Path: &virtual,
		Size: new(uint64(info.Size())),
		// Whole seconds, as in Mesos.
		Mtime: &mesos.TimeInfo{Nanoseconds: new(info.ModTime().Unix() * 1e9)},
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		out.Mode = new(stat.Mode)
		out.Nlink = new(int32(stat.Nlink))
		out.Uid = new(o.user(stat.Uid))
		out.Gid = new(o.group(stat.Gid))
	}
	return out
}

func (o *owners) user(id uint32) string {
	return remember(&o.users, id, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (o *owners) group(id uint32) string {
	return remember(&o.groups, id, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// remember looks a name up once; an ID without a name is its own.
func remember(known *map[uint32]string, id uint32, lookup func(string) (string, error)) string {
	if name, ok := (*known)[id]; ok {
		return name
	}
	text := strconv.FormatUint(uint64(id), 10)
	name, err := lookup(text)
	if err != nil {
		name = text
	}
	if *known == nil {
		*known = map[uint32]string{}
	}
	(*known)[id] = name
	return name
}

// modeString writes a mode as ls -l does, without its set-ID and sticky bits.
func modeString(mode uint32) string {
	kinds := map[uint32]string{
		syscall.S_IFDIR: "d", syscall.S_IFCHR: "c", syscall.S_IFBLK: "b",
		syscall.S_IFIFO: "p", syscall.S_IFLNK: "l", syscall.S_IFSOCK: "s",
	}
	var out strings.Builder
	out.WriteString(orElse(kinds[mode&syscall.S_IFMT], "-"))
	for bit := 8; bit >= 0; bit-- {
		if mode&(1<<bit) != 0 {
			out.WriteByte("xwr"[bit%3])
		} else {
			out.WriteByte('-')
		}
	}
	return out.String()
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
