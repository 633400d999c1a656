package ports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// listen is the state of sockets that listen, TCP_LISTEN of the kernel.
const listen = "0A"

// listening finds the TCP sockets that listen in the network namespace of a
// process: ports by inode.
func listening(pid int) (map[string]uint64, error) {
	out := map[string]uint64{}
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6, or the process is gone
		} else if err != nil {
			return nil, err
		}
		err = parse(f, out)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the sockets of process %d: %w", pid, err)
		}
	}
	return out, nil
}

// parse reads a table of sockets: after a line of titles, lines such as
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 …
//
// with the local address, the state and the inode in the fields 1, 3 and 9.
func parse(r io.Reader, out map[string]uint64) error {
	lines := bufio.NewScanner(r)
	lines.Scan()
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			return fmt.Errorf("address %q: %w", fields[1], err)
		}
		out[fields[9]] = port
	}
	return lines.Err()
}

// portsOf finds which of the listening sockets a process has open. One that is
// gone has none.
func portsOf(pid int, listening map[string]uint64) (resources.Ranges, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []resources.Range
	for _, e := range entries {
		target, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue // closed meanwhile
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		if !ok {
			continue
		}
		if port, ok := listening[strings.TrimSuffix(inode, "]")]; ok {
			out = append(out, resources.Range{Begin: port, End: port})
		}
	}
	return resources.RangesOf(out...), nil
}
