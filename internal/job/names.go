package job

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The labels on everything that the driver makes in podman.
const (
	labelPrefix = "io.podman-executor."
	// LabelManaged is on every object of the driver.
	LabelManaged = labelPrefix + "managed"
	// LabelJob is the id of the job, LabelProject of its project.
	LabelJob     = labelPrefix + "job"
	LabelProject = labelPrefix + "project"
	// LabelRole is "runner", "user", "service", "network", "secret", "builds", "cache"
	// or "volume".
	LabelRole = labelPrefix + "role"
	// LabelDestination is where a volume with the role "volume" is mounted.
	LabelDestination = labelPrefix + "destination"
	// LabelAttempt is the runner's directory for this attempt at the job, as the
	// runner sees it.
	LabelAttempt = labelPrefix + "attempt"
	// LabelOwner is the runner process that the object belongs to: see [Process].
	LabelOwner = labelPrefix + "owner"
	// LabelDeadline is the time, in seconds since 1970, after which the object is no longer
	// needed.
	LabelDeadline = labelPrefix + "deadline"
	// LabelKeep marks containers that stay after the job: see [Kept].
	LabelKeep = labelPrefix + "keep"
)

// OwnerLabels returns the labels that say who owns an object, and whether it is still needed.
func OwnerLabels() []string {
	return []string{LabelRole, LabelJob, LabelProject, LabelAttempt, LabelOwner, LabelDeadline, LabelKeep}
}

// deadlineSlack is how long after its timeout a job may still need its
// containers: after_script, uploads and cleanup come after a script's timeout.
const deadlineSlack = time.Hour

// namePrefix begins the names of everything that the driver makes in podman.
const namePrefix = "podman-executor-"

// Ours reports, by its name and its labels, whether the driver has made a container, a network
// or a volume. Labels alone are not enough: a container also has those of its image, and
// somebody may run one by hand. The name must end as [Job.Name] or [Job.VolumeName] makes it.
func Ours(name string, labels map[string]string) bool {
	rest, ok := strings.CutPrefix(name, namePrefix)
	role, id := labels[LabelRole], labels[LabelJob]
	switch {
	case !ok || role == "":
		return false
	case id == "" && role == "volume": // volumes outlive jobs: they have none
		return strings.Contains(rest, "-volume-")
	case id == "":
		return strings.HasSuffix(rest, "-"+role)
	case role == "service":
		place, number, found := cutLast(rest, "-service-")
		return found && strings.HasSuffix(place, "-"+id) && number != "" && strings.Trim(number, "0123456789") == ""
	}
	return strings.HasSuffix(rest, "-"+id+"-"+role)
}

// Name returns the name of the job's container, or of another object, for a role. It includes
// the GitLab, because one user may run jobs of two GitLabs whose ids collide, and a job may
// forge the token ([Job.Locate]).
func (j *Job) Name(role string) string {
	return fmt.Sprintf(namePrefix+"%s-%s-%s", j.RunnerToken, j.ofGitLab(j.ID), role)
}

// ofGitLab returns an id that is unique among all GitLabs. The hash has a fixed length, so a
// token that ends like a hash cannot make two names the same.
func (j *Job) ofGitLab(id int64) string {
	if j.GitLab == "" {
		return strconv.FormatInt(id, 10)
	}
	return j.GitLab + "-" + strconv.FormatInt(id, 10)
}

// VolumeName returns the name of the podman volume for a role ("builds", "cache"
// or a [VolumeRole]): one for each runner, slot and project, and one more where the ref
// is protected, so that no merge request writes what a release job reads.
func (j *Job) VolumeName(role string) string {
	return fmt.Sprintf(namePrefix+"%s-%s-%s-%s", j.RunnerToken, j.Slot, j.projectKey(), role)
}

// ProjectName returns a name for the job's project. It differs from those of other GitLabs'
// projects, and for jobs of protected refs, because other jobs may not see the same variables.
func (j *Job) ProjectName() string { return j.RunnerToken + "-" + j.projectKey() }

// VolumeRole is the role of the project's volume for a path in its containers.
func VolumeRole(destination string) string {
	hash := sha256.Sum256([]byte(destination))
	return "volume-" + hex.EncodeToString(hash[:8])
}

func (j *Job) projectKey() string {
	key := "project-" + j.ofGitLab(j.ProjectID)
	if j.Protected {
		key += "-protected"
	}
	return key
}

// Directories returns where the job's builds and cache are, in the containers and, with a
// data_dir, on the host. Below data_dir each project has its own directories, so that mounting
// them shows a job no other project. Volumes belong to one project by their names.
func (j *Job) Directories(dataDir string) (builds, cache string) {
	if dataDir == "" {
		return "/builds", "/cache"
	}
	return dataDir + "/builds/" + j.projectKey(), dataDir + "/cache/" + j.projectKey()
}

// Labels returns the labels of one of the job's containers.
func (j *Job) Labels(role, attempt, owner string, now time.Time) map[string]string {
	labels := j.VolumeLabels(role)
	labels[LabelJob] = strconv.FormatInt(j.ID, 10)
	labels[LabelAttempt] = attempt
	labels[LabelOwner] = owner
	labels[LabelDeadline] = strconv.FormatInt(now.Add(j.Timeout+deadlineSlack).Unix(), 10)
	return labels
}

// VolumeLabels returns the labels of a volume, which outlives the job.
func (j *Job) VolumeLabels(role string) map[string]string {
	return map[string]string{
		LabelManaged: "true",
		LabelRole:    role,
		LabelProject: strconv.FormatInt(j.ProjectID, 10),
	}
}

// Keep marks labels of [Job.Labels] as those of an object that stays after the job.
func Keep(labels map[string]string) { labels[LabelKeep] = labels[LabelAttempt] }

// Kept reports whether [Keep] has marked an object. Containers also have the labels of their
// image, so the mark is a value that no image's author knows.
func Kept(labels map[string]string) bool {
	return labels[LabelKeep] != "" && labels[LabelKeep] == labels[LabelAttempt]
}

var notHostname = regexp.MustCompile(`[^a-z0-9-]+`)

// Hostname returns the host name of the job's containers, as the docker executor
// makes it (gitlab-runner common/build.go:376): RFC 1123, 63 characters at most.
func (j *Job) Hostname() string {
	token := strings.Trim(notHostname.ReplaceAllString(strings.ToLower(j.RunnerToken), "-"), "-")
	name := fmt.Sprintf("runner-%s-project-%d-concurrent-%s", token, j.ProjectID, j.Slot)
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}
