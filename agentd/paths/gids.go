package paths

import "path"

// VolumeGIDs is the file that says which group a volume was given.
func VolumeGIDs(workDir string) string { return path.Join(Meta(workDir), "volume_gids.json") }
