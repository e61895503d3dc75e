package main

import (
	"fmt"
	"io/fs"
	"slices"

	"podman-executor/test/harness/gitlab"
	"podman-executor/test/measure/bench/results"
)

// The images of test/harness/images.
const (
	debianImage  = "docker.io/library/debian:trixie-slim"
	runnerImage  = "localhost/podman-executor/runner:latest"
	helperImage  = "localhost/podman-executor/helper:latest"
	clientsImage = "localhost/podman-executor/clients:latest"
	redisImage   = "localhost/podman-executor/redis:latest"
)

// kind is a kind of job.
type kind struct {
	results.Kind
	// job returns a job; a repository is made for kinds that clone.
	job func(repository *gitlab.Repository) gitlab.Job
	// clones tells whether the job needs the repository.
	clones bool
	// services tells that executors without services cannot run it.
	services bool
	// most bounds the number of repetitions of what takes long.
	most int
	// profiled tells that the page shows where the time went.
	profiled bool
	// right looks at what a successful job has left; nil: nothing.
	right func(*gitlab.Run) error
}

const (
	logBytes      = 100_000_000
	artifactFiles = 500
)

// allKinds are the kinds of jobs, in the order of the page; sources says what is
// cloned.
func allKinds(sources string) []kind {
	return []kind{
		{Kind: results.Kind{Name: "hello", Title: "hello", Says: "`echo hello`, without sources", Jobs: 1, AtOnce: 1}, job: hello, profiled: true},
		{
			Kind: results.Kind{Name: "clone", Title: "clone and build", Jobs: 1, AtOnce: 1, Says: "a fresh clone of " + sources +
				"; since no image of the tests has a compiler, the build is: `sha256sum` of each file, and all packed with `tar` and `gzip`"},
			job: cloneAndBuild, clones: true,
		},
		{
			Kind: results.Kind{Name: "log", Title: "100 MB of log", Jobs: 1, AtOnce: 1, Says: "lines of 80 bytes; gitlab-runner takes all of it, " +
				"and sends what its `output_limit` of 4 MiB lets through"},
			job: func(*gitlab.Repository) gitlab.Job {
				return inDebian("log", fmt.Sprintf("{ yes %079d || :; } | head -c %d", 7, logBytes))
			},
		},
		{
			Kind: results.Kind{Name: "artifact", Title: "artifact", Says: "500 files of 2,000 random bytes each, made and uploaded", Jobs: 1, AtOnce: 1},
			job:  manyFiles, right: hasAllFiles,
		},
		{
			Kind: results.Kind{
				Name: "services", Title: "two services", Jobs: 1, AtOnce: 1,
				Says: "two Redis services, each asked once; the shell executor, the naive scripts and steps on the host have none",
			},
			job: asksServices, services: true,
		},
		{Kind: results.Kind{Name: "twelve", Title: "12 hellos", Says: "12 times hello, four at a time: the time is that of all", Jobs: 12, AtOnce: 4}, job: hello, most: 3},
		{Kind: results.Kind{Name: "fifty", Title: "50 hellos", Says: "50 times hello, eight at a time: the time is that of all", Jobs: 50, AtOnce: 8}, job: hello, most: 2},
	}
}

func hello(*gitlab.Repository) gitlab.Job { return inDebian("hello", "echo hello") }

func inDebian(name string, script ...string) gitlab.Job {
	j := gitlab.NewJob(name, script...)
	j.Image.Name = debianImage
	return j
}

func cloneAndBuild(repository *gitlab.Repository) gitlab.Job {
	j := inDebian("clone", `find . -path ./.git -prune -o -type f -print0 | xargs -0 sha256sum | sort >"$CI_PROJECT_DIR.sums"`,
		`tar --exclude ./.git -czf "$CI_PROJECT_DIR.tar.gz" .`, `ls -l "$CI_PROJECT_DIR.tar.gz"`)
	repository.Checkout(&j, "main")
	j.SetVariable("GIT_STRATEGY", "clone")
	return j
}

func manyFiles(*gitlab.Repository) gitlab.Job {
	j := inDebian("artifact", "rm -rf out; mkdir out",
		fmt.Sprintf("for i in $(seq %d); do head -c 2000 /dev/urandom >out/$i; done", artifactFiles))
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	return j
}

func hasAllFiles(run *gitlab.Run) error {
	uploads := run.Artifacts()
	if len(uploads) != 1 {
		return fmt.Errorf("it has uploaded %d artifacts, want 1", len(uploads))
	}
	archive, err := uploads[0].FS()
	if err != nil {
		return err
	}
	files, err := fs.Glob(archive, "out/*")
	if err == nil && len(files) != artifactFiles {
		err = fmt.Errorf("its artifact has %d files, want %d", len(files), artifactFiles)
	}
	return err
}

func asksServices(*gitlab.Repository) gitlab.Job {
	j := gitlab.NewJob("services", "redis-cli -h one ping", "redis-cli -h two ping")
	j.Image.Name = clientsImage
	j.Services = []gitlab.Image{{Name: redisImage, Alias: "one"}, {Name: redisImage, Alias: "two"}}
	return j
}

// repetitions is how often a kind is measured, where others are that often.
func (k kind) repetitions(runs int) int {
	if k.most > 0 {
		return min(runs, k.most)
	}
	return runs
}

// chosen leaves the ones with these names, or all where there are no names.
func chosen[T any](all []T, names []string, nameOf func(T) string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(x T) bool { return nameOf(x) == name }) {
			var known []string
			for _, x := range all {
				known = append(known, nameOf(x))
			}
			return nil, fmt.Errorf("there is no %q; there are: %q", name, known)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !slices.Contains(names, nameOf(x)) }), nil
}
