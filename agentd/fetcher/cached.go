package fetcher

import (
	"context"
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
)

// fromCache has the file of an item in the cache, and the item read from there. If
// that can't be, the item is fetched as if it had not asked for the cache, and the
// task's user is told why. The caller releases what is returned.
func (f *Fetcher) fromCache(ctx context.Context, r mesos.FetchRequest, i *item) *cacheEntry {
	e, err := f.cached(ctx, r, *i)
	if err != nil {
		fmt.Fprintf(r.Output, "Fetching '%s' without the cache: %v\n", i.URI, err)
		if e != nil {
			f.cache.release(e)
		}
		return nil
	}
	i.CacheFile = e.file
	return e
}

// cached returns the entry of an item, filled by us or by somebody else.
func (f *Fetcher) cached(ctx context.Context, r mesos.FetchRequest, i item) (*cacheEntry, error) {
	user, dir, err := f.cache.userDir(r.Credential)
	if err != nil {
		return nil, err
	}
	name, err := basename(i.URI)
	if err != nil {
		return nil, err
	}
	for {
		e, fill := f.cache.hold(cacheKey{user, i.URI}, dir, shorten(name))
		if fill {
			err = f.fill(ctx, r, i, e)
			f.cache.filled(e, err)
			return e, err
		}
		if err := e.wait(ctx); err != nil || f.cache.intact(e) {
			return e, err
		}
		f.cache.release(e) // and it is downloaded again
	}
}

// fill downloads a file into the cache, once it is known to fit.
func (f *Fetcher) fill(ctx context.Context, r mesos.FetchRequest, i item, e *cacheEntry) error {
	req := request{Config: f.cfg, Op: opSize, Items: []item{i}}
	answer, err := f.process(ctx, r, req)
	if err != nil {
		return err
	}
	if answer.Size <= 0 {
		return fmt.Errorf("its size is %d", answer.Size)
	}
	if err := f.cache.reserve(e, answer.Size); err != nil {
		return err
	}
	req.Op, req.Config.MaxBytes = opFill, answer.Size
	req.Items[0].CacheFile = e.file
	_, err = f.process(ctx, r, req)
	return err
}

// maxName bounds the part of a file's name in the cache that tells people what it is.
const maxName = 100

func shorten(name string) string {
	if len(name) > maxName {
		return name[len(name)-maxName:] // its suffix says what it is
	}
	return name
}
