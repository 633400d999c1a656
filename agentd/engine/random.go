package engine

import (
	"math/rand/v2"

	"github.com/google/uuid"
)

// random draws from the system.
type random struct{}

// UUID implements state.Source.
func (random) UUID() [16]byte { return uuid.New() }

// Fraction implements state.Source.
func (random) Fraction() float64 { return rand.Float64() }
