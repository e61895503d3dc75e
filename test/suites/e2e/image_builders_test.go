//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// builderSection is a section of docs/building-images.md: a policy, and the job that it lets build.
type builderSection struct {
	policy string
	job    gitlab.Job
}

// builderSections returns those with both, by their titles.
func builderSections(t *testing.T) map[string]builderSection {
	t.Helper()
	text, err := os.ReadFile("building-images.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]builderSection{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		pipeline, err := gitlab.ParsePipeline("docs/building-images.md", []byte(block(t, body, "yaml")))
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		sections[title] = builderSection{policy: block(t, body, "toml"), job: pipeline.Jobs[0].Job}
	}
	return sections
}

// block returns what stands between the fences of a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("there is no block of %s in\n%s", language, text)
	}
	return code + "\n"
}

// started starts a machine with the section's policy, and what the tests need besides, which are lines.
func (s builderSection) started(t *testing.T, lines ...string) *machine {
	t.Helper()
	more := "[general.podman]\nrunner_options = [\"--network=host\"]\n" + storageEnvironment() + "\n" + strings.Join(lines, "\n") + "\n"
	policy := strings.Replace(s.policy, "[general.podman]\n", more, 1)
	if policy == s.policy {
		t.Fatalf("there is no [general.podman] in\n%s", policy)
	}
	return start(t, func(string) string { return policy })
}

// What docs/building-images.md says of buildah and podman builds an image; the base is one that the job makes.
func TestImageBuilders(t *testing.T) {
	t.Parallel()
	sections := builderSections(t)
	for title, base := range map[string]string{
		"buildah": `c=$(buildah from scratch) && buildah copy --quiet $c /bin/busybox /bin/ && buildah commit --quiet $c base && buildah rm $c`,
		"podman":  `mkdir base && cp /bin/busybox base/ && printf 'FROM scratch\nCOPY busybox /bin/\n' >base/Containerfile && podman build --quiet --tag base base`,
	} {
		s := sections[title]
		s.job.SetVariable("CI_REGISTRY_IMAGE", "out")
		s.job.Image.Name = "localhost/podman-executor/buildah:latest"
		s.job.Steps[0].Script = append([]string{base, `printf 'FROM localhost/base\nRUN ["/bin/busybox", "sh", "-c", "echo built by $(/bin/busybox id -u)"]\n' >Containerfile`}, s.job.Steps[0].Script...)
		s.job.Steps[0].Script = append(s.job.Steps[0].Script, "echo manifests: $(tar -tf image.tar | grep -c manifest.json)")
		run := s.started(t).run(s.job)
		succeeded(t, run)
		logs(t, run, "built by 0\n", "manifests: 1\n")
	}
}

// A builder that deletes all files but those of its mounts between the stages of an image: its script goes on, and its exit code counts.
func TestBuilderInItsOwnRoot(t *testing.T) {
	t.Parallel()
	const empties = "mkdir /keep && cp /bin/busybox /keep/ && /keep/busybox rm -rf /usr /etc /var /root /lib /sbin && echo emptied"
	m := builderSections(t)["Builders that work in their own root"].started(t, `image_pull_policy = "if-not-present"`)
	for _, code := range []int{0, 7} {
		j := in(busyboxImage, job("builder", empties, "echo goes on", fmt.Sprintf("exit %d", code)))
		j.Image.Entrypoint = []string{""}
		j.AddAfterScript("echo after")
		run := m.run(j)
		if logs(t, run, "emptied\n", "goes on\n", "after\n"); code == 0 {
			succeeded(t, run)
		} else {
			failed(t, run, "script_failure", code)
		}
	}
}
