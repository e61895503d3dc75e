package storage

import (
	"strings"
	"testing"

	"podman-executor/internal/job"
)

// The directories of every job's builds and cache are found by their records.
func TestRecordedDirectories(t *testing.T) {
	for _, j := range []job.Job{{ProjectID: 7}, {ProjectID: 7, Protected: true}, {ProjectID: 7, GitLab: "0123456789ab"}, {ProjectID: 7, GitLab: "0123456789ab", Protected: true}} {
		builds, cache := j.Directories("/data")
		for _, dir := range []string{builds, cache, strings.Replace(builds, "builds", "chosen", 1)} {
			record := strings.TrimPrefix(dir, "/data/")
			parts := recordedDir.FindStringSubmatch(record)
			if parts == nil || parts[1]+"/"+parts[2] != record || parts[3] != "7" {
				t.Errorf("%s: %q", record, parts)
			}
		}
	}
	for _, other := range []string{"builds/project-7/t/0", "builds/project-", "chosen/../builds/project-7", "cache/project-7x", "volume/project-7"} {
		if recordedDir.MatchString(other) {
			t.Errorf("%s is taken for a directory of a project's", other)
		}
	}
}
