package main

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What is held by goroutines at the same time is let go of, all of it and once.
func TestReleases(t *testing.T) {
	var held releases
	var released atomic.Int64
	var holders sync.WaitGroup
	for range 8 {
		holders.Go(func() {
			for range 100 {
				held.add(func() { released.Add(1) })
			}
		})
	}
	holders.Wait()
	held.all()
	held.all()
	if n := released.Load(); n != 800 {
		t.Errorf("%d were released, want 800", n)
	}
}
