package paths

import (
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestPersistentVolume(t *testing.T) {
	volume := func(role, id string, source *mesos.Resource_DiskInfo_Source) *mesos.Resource {
		return &mesos.Resource{
			Reservations: []*mesos.Resource_ReservationInfo{{Role: &role}},
			Disk: &mesos.Resource_DiskInfo{
				Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id}, Source: source,
			},
		}
	}
	tests := map[string]struct {
		volume *mesos.Resource
		want   string
	}{
		"root disk": {volume("prod/web", "v", nil), "/w/volumes/roles/prod web/v"},
		// The volume of a role is not in that of another one, whose name goes on where its own ends.
		"of a role":       {volume("a/b/c", "d", nil), "/w/volumes/roles/a b c/d"},
		"of a role in it": {volume("a/b/c/d", "id", nil), "/w/volumes/roles/a b c d/id"},
		"path disk": {volume("prod", "v", &mesos.Resource_DiskInfo_Source{
			Type: mesos.Resource_DiskInfo_Source_PATH.Enum(), Path: &mesos.Resource_DiskInfo_Source_Path{Root: new("/mnt/d")},
		}), "/mnt/d/volumes/roles/prod/v"},
		"mount disk": {volume("prod", "v", &mesos.Resource_DiskInfo_Source{
			Type: mesos.Resource_DiskInfo_Source_MOUNT.Enum(), Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("disks/d")},
		}), "/w/disks/d"},
		"escape":     {volume("prod", "../../etc", nil), ""},
		"unreserved": {&mesos.Resource{Disk: volume("", "v", nil).Disk}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := PersistentVolume("/w", tt.volume)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("PersistentVolume = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
