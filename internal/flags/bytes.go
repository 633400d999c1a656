package flags

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Bytes is an amount of memory or disk.
type Bytes uint64

// Units of Bytes: powers of 1,024, as in Mesos.
const (
	Byte     Bytes = 1
	Kilobyte       = 1024 * Byte
	Megabyte       = 1024 * Kilobyte
	Gigabyte       = 1024 * Megabyte
	Terabyte       = 1024 * Gigabyte
)

var byteUnits = []struct {
	name string
	size Bytes
}{
	{"B", Byte}, {"KB", Kilobyte}, {"MB", Megabyte}, {"GB", Gigabyte}, {"TB", Terabyte},
}

// ParseBytes reads a whole number and a unit of B, KB, MB, GB and TB.
func ParseBytes(s string) (Bytes, error) {
	number, unit := splitUnit(s, "0123456789")
	value, err := strconv.ParseUint(number, 10, 64)
	if err != nil || number == s {
		return 0, fmt.Errorf("%q is not a size: expected a whole number with a unit, for example \"4KB\"", s)
	}
	for _, u := range byteUnits {
		if !strings.EqualFold(u.name, unit) {
			continue
		}
		over, product := bits.Mul64(value, uint64(u.size))
		if over != 0 {
			return 0, fmt.Errorf("size %q is over 16 exabytes", s)
		}
		return Bytes(product), nil
	}
	return 0, fmt.Errorf("%q is not a unit of size: expected one of B, KB, MB, GB and TB", unit)
}

// String writes the largest unit that needs no fraction.
func (b Bytes) String() string {
	i := 0
	for b != 0 && i+1 < len(byteUnits) && b%byteUnits[i+1].size == 0 {
		i++
	}
	return strconv.FormatUint(uint64(b/byteUnits[i].size), 10) + byteUnits[i].name
}
