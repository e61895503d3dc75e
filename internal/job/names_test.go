package job

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	// podmanName is what podman takes for a name (podman libpod/define/container.go, NameRegex).
	podmanName = regexp.MustCompile(`\A[a-zA-Z0-9][a-zA-Z0-9_.-]*\z`)
	hostname   = regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)
)

func TestNames(t *testing.T) {
	tests := []struct {
		job                            Job
		container, builds, cache, host string
		hostBuilds, hostCache          string
	}{
		{
			job: Job{ID: 4711, ProjectID: 42, RunnerToken: "glrt-Ab_9", Slot: "0"}, container: "podman-executor-glrt-Ab_9-4711-user",
			builds: "podman-executor-glrt-Ab_9-0-project-42-builds", cache: "podman-executor-glrt-Ab_9-0-project-42-cache",
			host: "runner-glrt-ab-9-project-42-concurrent-0", hostBuilds: "/d/builds/project-42", hostCache: "/d/cache/project-42",
		},
		{
			job: Job{ID: 1, ProjectID: 42, RunnerToken: "t", Slot: "3", Protected: true}, container: "podman-executor-t-1-user",
			builds: "podman-executor-t-3-project-42-protected-builds", cache: "podman-executor-t-3-project-42-protected-cache",
			host: "runner-t-project-42-concurrent-3", hostBuilds: "/d/builds/project-42-protected", hostCache: "/d/cache/project-42-protected",
		},
		{
			job: Job{ID: math.MaxInt64, ProjectID: math.MaxInt64, RunnerToken: strings.Repeat("_", 30) + "T", Slot: "999999999"}, container: "podman-executor-" + strings.Repeat("_", 30) + "T-9223372036854775807-user",
			builds: "podman-executor-" + strings.Repeat("_", 30) + "T-999999999-project-9223372036854775807-builds", cache: "podman-executor-" + strings.Repeat("_", 30) + "T-999999999-project-9223372036854775807-cache",
			host: "runner-t-project-9223372036854775807-concurrent-999999999", hostBuilds: "/d/builds/project-9223372036854775807", hostCache: "/d/cache/project-9223372036854775807",
		},
	}
	for _, test := range tests {
		j := test.job
		dataBuilds, dataCache := j.Directories("/d")
		got := []string{j.Name("user"), j.VolumeName("builds"), j.VolumeName("cache"), j.Hostname(), dataBuilds, dataCache}
		want := []string{test.container, test.builds, test.cache, test.host, test.hostBuilds, test.hostCache}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", j, diff)
		}
		for _, name := range got[:3] {
			if !podmanName.MatchString(name) {
				t.Errorf("podman does not take the name %q", name)
			}
		}
		if builds, cache := j.Directories(""); builds != "/builds" || cache != "/cache" {
			t.Errorf("without a data_dir: %q, %q", builds, cache)
		}
	}
}

// No two of these may share a volume: another project, another slot, another
// runner, a protected ref.
func TestVolumesAreApart(t *testing.T) {
	jobs := []Job{
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "1"},
		{ID: 1, ProjectID: 2, RunnerToken: "a", Slot: "1"},
		{ID: 1, ProjectID: 1, RunnerToken: "b", Slot: "1"},
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "2"},
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "1", Protected: true},
		{ID: 1, ProjectID: 11, RunnerToken: "a", Slot: "1"},
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "11"},
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "1", GitLab: "0123456789ab"},
		{ID: 1, ProjectID: 1, RunnerToken: "a", Slot: "1", GitLab: "ba9876543210"},
	}
	seen := map[string]bool{}
	for _, j := range jobs {
		for _, role := range []string{"builds", "cache"} {
			if name := j.VolumeName(role); seen[name] {
				t.Errorf("%+v: the volume %q has been seen", j, name)
			} else {
				seen[name] = true
			}
		}
	}
}

// A job that forges its runner's token (GIT_CLONE_PATH) gets no name of another
// GitLab's job with the same ids: prepare removes what has its job's names.
func TestGitLabsAreApart(t *testing.T) {
	victim := Job{ID: 1, ProjectID: 2, RunnerToken: "a", Slot: "0", GitLab: "0123456789ab"}
	names := func(j Job) []string {
		builds, cache := j.Directories("/data")
		return []string{j.Name("user"), j.Name("runner"), j.Name("network"), j.VolumeName("builds"), j.VolumeName("cache"), j.ProjectName(), builds, cache}
	}
	for _, forged := range []struct{ token, slot string }{{"a", "0"}, {"a-0123456789ab", "0"}, {"a-0-project-0123456789ab", "2"}, {"a-0123456789ab-1", "0"}} {
		attacker := Job{ID: 1, ProjectID: 2, RunnerToken: forged.token, Slot: forged.slot, GitLab: "ba9876543210"}
		for _, name := range names(attacker) {
			if slices.Contains(names(victim), name) {
				t.Errorf("%+v: %q is another GitLab's", forged, name)
			}
		}
	}
}

// An image's own label does not keep a container.
func TestKept(t *testing.T) {
	j := Job{ID: 1, Timeout: time.Minute}
	labels := j.Labels("user", "custom-executor123", "h/b/1/2", time.Unix(0, 0))
	if Kept(labels) {
		t.Error("a usual container is kept")
	}
	for _, forged := range []string{"true", "custom-executor1", ""} {
		labels[LabelKeep] = forged
		if Kept(labels) || Kept(map[string]string{LabelKeep: forged, LabelAttempt: ""}) {
			t.Errorf("%q keeps a container", forged)
		}
	}
	if Keep(labels); !Kept(labels) {
		t.Error("a container that is to be kept is not")
	}
}

func TestHostname(t *testing.T) {
	for _, token := range []string{"", "_", "-", "A", "glrt-t1_XyZ", strings.Repeat("a", 64), strings.Repeat("a-", 32), "ä"} {
		for _, project := range []int64{0, 1, math.MaxInt64} {
			j := Job{ProjectID: project, RunnerToken: token, Slot: "0"}
			if name := j.Hostname(); !hostname.MatchString(name) {
				t.Errorf("token %q, project %d: %q", token, project, name)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	j := Job{ID: math.MaxInt64 - 1, ProjectID: 42, RunnerToken: "t", Slot: "0", Timeout: time.Minute}
	want := map[string]string{
		"io.podman-executor.managed": "true", "io.podman-executor.role": "user", "io.podman-executor.project": "42",
		"io.podman-executor.job": "9223372036854775806", "io.podman-executor.attempt": "custom-executor123", "io.podman-executor.owner": "h/b/1/2",
		"io.podman-executor.deadline": "1003660", // 1,000,000 and the timeout and an hour
	}
	if diff := cmp.Diff(want, j.Labels("user", "custom-executor123", "h/b/1/2", time.Unix(1_000_000, 0))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A volume outlives the job: nothing about one job, no owner, no deadline.
	want = map[string]string{"io.podman-executor.managed": "true", "io.podman-executor.role": "cache", "io.podman-executor.project": "42"}
	if diff := cmp.Diff(want, j.VolumeLabels("cache")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The deadline of the longest job is still a time in the future.
func TestDeadlineOfTheLongestJob(t *testing.T) {
	j, err := decode(strings.NewReader(`{"id": 1, "runner_info": {"timeout": 9223372036854775807}}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_000_000, 0)
	if got, want := j.Labels("user", "a", "o", now)[LabelDeadline], "316363600"; got != want {
		t.Errorf("deadline %s, want %s", got, want)
	}
}

func TestProjectName(t *testing.T) {
	j := Job{ID: 1, ProjectID: 7, RunnerToken: "glrt-a_1", Slot: "2"}
	if got := j.ProjectName(); got != "glrt-a_1-project-7" {
		t.Errorf("got %q", got)
	}
	if j.Protected = true; j.ProjectName() != "glrt-a_1-project-7-protected" {
		t.Errorf("got %q", j.ProjectName())
	}
}

// An object is the driver's by its name and its labels: an image also has labels.
func TestOurs(t *testing.T) {
	j := &Job{ID: 42, ProjectID: 7, RunnerToken: "t-1", Slot: "0", GitLab: "0123456789ab"}
	for _, role := range []string{"runner", "user", "network"} {
		if !Ours(j.Name(role), j.Labels(role, "", "", time.Now())) {
			t.Errorf("the %s %s is not ours", role, j.Name(role))
		}
	}
	if !Ours(j.Name("service-12"), j.Labels("service", "", "", time.Now())) {
		t.Error("a service is not ours")
	}
	for name, role := range map[string]string{j.VolumeName("builds"): "builds", j.VolumeName("cache"): "cache", j.VolumeName(VolumeRole("/x")): "volume"} {
		if !Ours(name, j.VolumeLabels(role)) {
			t.Errorf("the volume %s is not ours", name)
		}
	}
	labels := func(role, id string) map[string]string {
		return map[string]string{LabelManaged: "true", LabelRole: role, LabelJob: id}
	}
	for _, test := range []struct {
		name   string
		labels map[string]string
	}{
		{"web", labels("user", "42")},
		{"podman-executor", labels("user", "42")},
		{"podman-executor-", labels("user", "42")},
		{"podman-executor-web", labels("user", "42")},
		{"podman-executor-t-42-user-2", labels("user", "42")},
		{"podman-executor-t-142-user", labels("user", "42")},
		{"x-podman-executor-t-42-user", labels("user", "42")},
		{"podman-executor-t-42-user", labels("runner", "42")},
		{"podman-executor-t-42-user", labels("", "42")},
		{"podman-executor-t-42-user", nil},
		{"podman-executor-t-42-service-", labels("service", "42")},
		{"podman-executor-t-42-service-x", labels("service", "42")},
		{"podman-executor-t-1-service-0", labels("service", "42")},
		{"podman-executor-t-builds-x", labels("builds", "")},
	} {
		if Ours(test.name, test.labels) {
			t.Errorf("%s, %v is ours", test.name, test.labels)
		}
	}
}
