package allocator

import "math"

// lots are pseudo-random numbers from a seed: SplitMix64 (Steele, Lea, Flood 2014). They only have to
// spread things evenly and be the same for the same seed.
type lots uint64

func (l *lots) next() uint64 {
	*l += 0x9e3779b97f4a7c15
	z := uint64(*l)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// exponential is distributed with mean 1.
func (l *lots) exponential() float64 {
	u := (float64(l.next()>>11) + 0.5) / (1 << 53) // in (0, 1)
	return -math.Log(u)
}

// shuffle is that of Fisher and Yates. That remainders are not quite even doesn't show below 2^32
// elements.
func shuffle[T any](l *lots, s []T) {
	for i := len(s) - 1; i > 0; i-- {
		j := int(l.next() % uint64(i+1))
		s[i], s[j] = s[j], s[i]
	}
}
