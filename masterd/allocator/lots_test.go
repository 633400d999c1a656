package allocator

import (
	"fmt"
	"math"
	"testing"
)

// TestRandomSorterFollowsWeights draws often: who comes first is distributed as the weights are.
func TestRandomSorterFollowsWeights(t *testing.T) {
	s := sorter{lots: 42}
	root := newNode("")
	weights := []float64{1, 2, 5}
	for i, w := range weights {
		n := newNode(fmt.Sprint(i))
		n.weight = w
		root.insert(n)
	}
	const draws = 40000
	first := map[string]float64{}
	for range draws {
		s.arrange(root, true)
		first[root.children[0].path]++
	}
	for i, w := range weights {
		if got, want := first[fmt.Sprint(i)]/draws, w/8; math.Abs(got-want) > 0.01 {
			t.Errorf("weight %v came first with probability %.3f, want %.3f", w, got, want)
		}
	}
}

// TestShuffleIsEven puts every element in every place about as often.
func TestShuffleIsEven(t *testing.T) {
	l := lots(7)
	const n, draws = 5, 50000
	var count [n][n]float64
	for range draws {
		s := []int{0, 1, 2, 3, 4}
		shuffle(&l, s)
		for place, x := range s {
			count[x][place]++
		}
	}
	for x := range n {
		for place := range n {
			if p := count[x][place] / draws; math.Abs(p-1.0/n) > 0.01 {
				t.Errorf("%d is at %d with probability %.3f", x, place, p)
			}
		}
	}
}
