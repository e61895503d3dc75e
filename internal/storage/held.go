package storage

import "sync"

// Held collects what [Records.Hold] and [Records.HoldImage] return while a job's containers
// are made. The zero value holds nothing. Its methods may be called at the same time.
type Held struct {
	mutex    sync.Mutex
	releases []func()
}

// Add adds the function that releases one record.
func (h *Held) Add(release func()) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.releases = append(h.releases, release)
}

// Release calls all functions that were added since the last call, each of them once.
func (h *Held) Release() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, release := range h.releases {
		release()
	}
	h.releases = nil
}
