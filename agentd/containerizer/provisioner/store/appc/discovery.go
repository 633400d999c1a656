package appc

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const typeAppc = mesos.Image_APPC

// wanted is an image by what it is wanted.
type wanted struct {
	name   string
	id     string // empty for any
	labels map[string]string
}

func wantedBy(a *mesos.Image_Appc) wanted {
	w := wanted{name: a.GetName(), id: a.GetId(), labels: map[string]string{}}
	for _, l := range a.GetLabels().GetLabels() {
		w.labels[l.GetKey()] = l.GetValue()
	}
	return w
}

func wantedAs(d Dependency) wanted {
	w := wanted{name: d.ImageName, id: d.ImageID, labels: map[string]string{}}
	for _, l := range d.Labels {
		w.labels[l.Name] = l.Value
	}
	return w
}

// key is what images are found by in the store: the name and all labels.
func (w wanted) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", w.name)
	for _, k := range slices.Sorted(maps.Keys(w.labels)) {
		fmt.Fprintf(&b, " %q=%q", k, w.labels[k])
	}
	return b.String()
}

// file is the image's name by the rules of simple discovery.
func (w wanted) file() (string, error) {
	if w.name == "" {
		return "", fmt.Errorf("%w: an image without a name", store.ErrInvalid)
	}
	version := w.labels["version"]
	if version == "" {
		version = "latest"
	}
	for _, label := range []string{"os", "arch"} {
		if w.labels[label] == "" {
			return "", fmt.Errorf("%w: image %s has no label %q, without which it can't be found", store.ErrInvalid, w.name, label)
		}
	}
	return w.name + "-" + version + "-" + w.labels["os"] + "-" + w.labels["arch"] + ".aci", nil
}

// locate is where the image is: a path, or a URL.
func (w wanted) locate(prefix string) (path string, u *url.URL, err error) {
	file, err := w.file()
	if err != nil {
		return "", nil, err
	}
	if strings.HasPrefix(prefix, "/") {
		for part := range strings.SplitSeq(file, "/") {
			if part == ".." {
				return "", nil, fmt.Errorf("%w: %q is no name of an image", store.ErrInvalid, w.name)
			}
		}
		return prefix + file, nil, nil
	}
	u, err = url.Parse(prefix + file)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("%w: %q is no URL of an image", store.ErrInvalid, prefix+file)
	}
	return "", u, nil
}

// checkPrefix refuses what images can't be got by.
func checkPrefix(prefix string) error {
	for _, p := range []string{"http://", "https://", "/"} {
		if strings.HasPrefix(prefix, p) {
			return nil
		}
	}
	return fmt.Errorf("appc discovery prefix %q: want http://, https:// or a directory first", prefix)
}
