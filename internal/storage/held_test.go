package storage

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What goroutines add at the same time is released, all of it and once.
func TestHeld(t *testing.T) {
	var held Held
	var released atomic.Int64
	var holders sync.WaitGroup
	for range 8 {
		holders.Go(func() {
			for range 100 {
				held.Add(func() { released.Add(1) })
			}
		})
	}
	holders.Wait()
	held.Release()
	held.Release()
	if n := released.Load(); n != 800 {
		t.Errorf("%d were released, want 800", n)
	}
}
