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

// maxSlug bounds what of a name comes onto a command line, in bytes.
const maxSlug = 100

var notInSlug = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// slug is what is left of a name: nothing that a scheduler, or a shell, has a meaning
// for, and never an option. Many names may have one slug.
func slug(name string) string { return slugWithin(name, maxSlug) }

func slugWithin(name string, size int) string {
	name = strings.TrimLeft(notInSlug.ReplaceAllString(name, "-"), "-.")
	return strings.TrimRight(name[:min(len(name), size)], "-.")
}

// plainPath is a path as GitLab has them (gitlab lib/gitlab/path_regex.rb), but for one
// that begins with a dot.
var plainPath = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*\z`)

// digestBytes is how much of its hash stands for a path that is not plain.
const digestBytes = 16

// projectWord is the word of a project's path, which no other path has: an account that
// is made of it is one project's. It has `+` for each slash, since no path has that; of a
// path that is not plain, or too long, it has what is left, two of them, and a hash.
func projectWord(path string) string {
	if len(path) <= maxSlug && plainPath.MatchString(path) || path == "" {
		return strings.ReplaceAll(path, "/", "+")
	}
	hash := sha256.Sum256([]byte(path))
	const more = len("x++") + 2*digestBytes
	return fmt.Sprintf("x%s++%x", slugWithin(path, maxSlug-more), hash[:digestBytes])
}
