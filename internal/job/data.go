package job

import (
	"path/filepath"
	"strings"
)

// Data is where a job's builds and cache are.
type Data struct{ Builds, Cache Mount }

// Mount is a directory of the host, or a podman volume, in the job's containers.
type Mount struct {
	// Source is the directory's path, or the volume's name.
	Source string
	// At is the path in the containers.
	At string
	// Record names it in the records of what jobs use: the directory below data_dir, or
	// the volume.
	Record string
	// OnHost reports whether Source is a directory.
	OnHost bool
}

// String returns the mount as `podman create --volume` takes it.
func (m Mount) String() string {
	if m.OnHost {
		return m.Source + ":" + m.At + ":z"
	}
	return m.Source + ":" + m.At + ":nocopy"
}

// Data returns where the job's builds and cache are: below dataDir, or in volumes if dataDir is
// empty. Steps on the host (step_script_only) need the job's directory at the same path on the
// host and in the container.
//
// A job that has chosen a directory itself (see [Job.Locate]) gets one that contains no other
// mount: whoever can write to a directory could replace the next job's mount by a symbolic
// link.
func (j *Job) Data(dataDir string, stepsOnHost bool) Data {
	builds, cache := j.Directories(dataDir)
	if dataDir == "" {
		return Data{Builds: j.volume("builds", builds), Cache: j.volume("cache", cache)}
	}
	d := Data{
		Builds: Mount{Source: builds, At: builds, Record: recordOf(dataDir, builds), OnHost: true},
		Cache:  Mount{Source: cache, At: cache, Record: recordOf(dataDir, cache), OnHost: true},
	}
	own := filepath.Join(builds, j.RunnerToken, j.Slot)
	switch {
	case j.Short:
		d.Builds.Source = own
	case strings.HasPrefix(j.ProjectDir, own+"/"):
		d.Builds.Source, d.Builds.At = own, own
	case !stepsOnHost:
		d.Builds.Source = filepath.Join(dataDir, "chosen", filepath.Base(builds))
		d.Builds.Record = recordOf(dataDir, d.Builds.Source)
	}
	return d
}

func (j *Job) volume(role, at string) Mount {
	name := j.VolumeName(role)
	return Mount{Source: name, At: at, Record: name}
}

func recordOf(dataDir, dir string) string { return strings.TrimPrefix(dir, dataDir+"/") }
