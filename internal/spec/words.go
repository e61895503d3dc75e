package spec

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"podman-executor/internal/job"
)

// placeholders returns what the launcher's placeholders stand for.
func placeholders(j *job.Job) *strings.Replacer {
	return strings.NewReplacer(
		"{job_id}", strconv.FormatInt(j.ID, 10), "{job_name}", slug(j.JobName),
		"{project_id}", strconv.FormatInt(j.ProjectID, 10), "{project}", projectWord(j.ProjectPath))
}

// maxSlug bounds the part of a name that is used on a command line, in bytes.
const maxSlug = 100

var notInSlug = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// slug returns a name without anything that has a meaning to a scheduler or a shell. It is
// never an option. Several names may have the same slug.
func slug(name string) string { return slugWithin(name, maxSlug) }

func slugWithin(name string, size int) string {
	name = strings.TrimLeft(notInSlug.ReplaceAllString(name, "-"), "-.")
	return strings.TrimRight(name[:min(len(name), size)], "-.")
}

// plainPath is a project path as in GitLab (gitlab lib/gitlab/path_regex.rb), except one that
// begins with a dot.
var plainPath = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*\z`)

// digestBytes is how much of the hash is used for a path that is not plain.
const digestBytes = 16

// projectWord returns a word for a project's path that no other path has, so an account with
// that name belongs to one project. It has `+` for each slash, since no path contains `+`. For
// a path that is not plain, or too long, it is the path's slug, two `+`, and a hash.
func projectWord(path string) string {
	if len(path) <= maxSlug && plainPath.MatchString(path) || path == "" {
		return strings.ReplaceAll(path, "/", "+")
	}
	hash := sha256.Sum256([]byte(path))
	const more = len("x++") + 2*digestBytes
	return fmt.Sprintf("x%s++%x", slugWithin(path, maxSlug-more), hash[:digestBytes])
}
