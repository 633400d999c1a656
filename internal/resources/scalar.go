package resources

import (
	"math"
	"strconv"
)

// Scalar is an amount in thousandths: Scalar(1500) is 1.5. Mesos keeps three decimal digits too.
type Scalar int64

// MaxScalar is the largest amount that a single resource may have, 10^15. Sums saturate far above.
const MaxScalar Scalar = 1e18

// ScalarOf rounds to the nearest thousandth, half away from zero, and saturates. NaN is zero.
func ScalarOf(v float64) Scalar {
	t := math.Round(v * 1000)
	switch {
	case math.IsNaN(t):
		return 0
	case t >= math.MaxInt64:
		return math.MaxInt64
	case t <= math.MinInt64:
		return math.MinInt64
	}
	return Scalar(t)
}

// Float is the nearest float64, the one that prints with three decimals at most.
func (s Scalar) Float() float64 { return float64(s) / 1000 }

// String is the shortest decimal, "1.5".
func (s Scalar) String() string { return string(s.append(nil)) }

func (s Scalar) append(b []byte) []byte {
	return strconv.AppendFloat(b, s.Float(), 'f', -1, 64)
}

func (s Scalar) plus(o Scalar) Scalar {
	sum := s + o
	if o > 0 && sum < s {
		return math.MaxInt64
	}
	if o < 0 && sum > s {
		return math.MinInt64
	}
	return sum
}
