package state

import (
	"errors"
	"fmt"
)

// maxIDLength is NAME_MAX of Linux: IDs become names of directories.
const maxIDLength = 255

// validateID checks an ID that becomes a part of paths.
func validateID(id string) error {
	switch {
	case id == "":
		return errors.New("an ID must not be empty")
	case len(id) > maxIDLength:
		return fmt.Errorf("an ID must not have more than %d characters", maxIDLength)
	case id == "." || id == "..":
		return fmt.Errorf("'%s' can't be an ID", id)
	}
	for i := range len(id) {
		if c := id[i]; c < ' ' || c == 0x7f || c == '/' || c == '\\' {
			return fmt.Errorf("the ID %q has a character that is not allowed", id)
		}
	}
	return nil
}
