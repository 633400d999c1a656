package switchboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Verdict is how a switchboard ended, for an agent that is not its parent: that of
// the next life, which gets no exit status.
type Verdict int

// Verdicts.
const (
	// Unknown is that of a switchboard that keeps none: an older agent started it.
	Unknown Verdict = iota
	// Failed is that of one that still runs, too.
	Failed
	// Finished says that it passed everything on.
	Finished
)

// verdict is the file that a switchboard writes a byte to as its last deed.
func verdict(dir, id string) string { return Socket(dir, id) + ".end" }

func createVerdict(dir, id string) (*os.File, error) {
	f, err := os.OpenFile(verdict(dir, id), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the file that tells how it ended: %w", err)
	}
	return f, nil
}

// VerdictOf is to be asked after the end of the switchboard.
func VerdictOf(dir, id string) (Verdict, error) {
	info, err := os.Stat(verdict(dir, id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Unknown, nil
	case err != nil:
		return Unknown, fmt.Errorf("asking how a switchboard ended: %w", err)
	case info.Size() == 0:
		return Failed, nil
	}
	return Finished, nil
}

// finish says that the switchboard has done its work.
func finish() error {
	_, err := os.NewFile(verdictFD, "verdict").Write([]byte{'0'})
	return err
}
