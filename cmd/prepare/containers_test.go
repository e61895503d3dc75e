package main

import (
	"fmt"
	"strings"
	"testing"

	"podman-executor/internal/job"
	"podman-executor/internal/step"
	"podman-executor/pkg/policy"
)

// The policy knows the driver's own mount points: no tmpfs can hide one.
func TestTmpfsHidesNoMount(t *testing.T) {
	builds, cache := (&job.Job{}).Directories("")
	for _, dir := range []string{builds, cache, step.Dir} {
		text := fmt.Sprintf("[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n[general.podman.container.tmpfs]\n%q = \"\"\n", dir)
		if _, err := policy.Parse("policy.toml", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "reserved for the driver's mounts") {
			t.Errorf("a tmpfs at %s: %v", dir, err)
		}
	}
}
