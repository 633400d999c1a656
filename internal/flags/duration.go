package flags

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units are Mesos's units of time, ascending.
var units = []struct {
	name string
	size time.Duration
}{
	{"ns", time.Nanosecond},
	{"us", time.Microsecond},
	{"ms", time.Millisecond},
	{"secs", time.Second},
	{"mins", time.Minute},
	{"hrs", time.Hour},
	{"days", 24 * time.Hour},
	{"weeks", 7 * 24 * time.Hour},
}

// ParseDuration reads a duration as Mesos writes it: one number, which may have
// a fraction, and one unit of ns, us, ms, secs, mins, hrs, days and weeks.
func ParseDuration(s string) (time.Duration, error) {
	number, unit := splitUnit(s, "0123456789.")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || number == s {
		return 0, fmt.Errorf("%q is not a duration: expected a number with a unit, for example \"15secs\"", s)
	}
	for _, u := range units {
		if u.name != unit {
			continue
		}
		ns := value * float64(u.size)
		if ns >= math.MaxInt64 {
			return 0, fmt.Errorf("duration %q is over 292 years", s)
		}
		return time.Duration(math.Round(ns)), nil // 1.000001 * 1e6 is a little less than 1000001
	}
	return 0, fmt.Errorf("%q is not a unit of time: expected one of ns, us, ms, secs, mins, hrs, days and weeks", unit)
}

// FormatDuration writes a duration as Mesos does: in the largest unit that is
// not larger than it, or in the next smaller one if only that avoids a fraction.
func FormatDuration(d time.Duration) string {
	if d < 0 {
		if d == math.MinInt64 {
			d++ // its opposite isn't a Duration
		}
		return "-" + FormatDuration(-d)
	}
	i := len(units) - 1
	for i > 0 && d < units[i].size {
		i--
	}
	if i > 0 && d%units[i].size != 0 && d%units[i-1].size == 0 {
		i--
	}
	return strconv.FormatFloat(float64(d)/float64(units[i].size), 'g', 15, 64) + units[i].name
}

// splitUnit splits s after the leading characters of digits.
func splitUnit(s, digits string) (number, unit string) {
	unit = strings.TrimLeft(s, digits)
	return s[:len(s)-len(unit)], unit
}
