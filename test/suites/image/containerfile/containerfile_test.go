// Package containerfile tests what can be said of the bundle image's Containerfile
// without building it.
package containerfile

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../../../image/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A Containerfile cannot include another: the runner image has its instructions in
// a file of its own, for those who run gitlab-runner elsewhere, and again as a
// stage of the bundle.
func TestRunnerImageIsTheSameInBoth(t *testing.T) {
	install := regexp.MustCompile(`(?s)RUN export DEBIAN_FRONTEND.*?/var/lib/apt/lists/\*\n`)
	link := regexp.MustCompile(`RUN ln -s gitlab-runner .*\n`)
	own := read(t, "runner.Containerfile")
	_, rest, ok := strings.Cut(read(t, "Containerfile"), " AS runner-image\n")
	if !ok {
		t.Fatal("the Containerfile has no stage runner-image")
	}
	stage, _, _ := strings.Cut(rest, "\nFROM ")
	for _, part := range []*regexp.Regexp{install, link} {
		want := part.FindString(own)
		if want == "" {
			t.Fatalf("runner.Containerfile has nothing like %s", part)
		}
		if diff := cmp.Diff(want, part.FindString(stage)); diff != "" {
			t.Errorf("runner.Containerfile and the stage (-want +got):\n%s", diff)
		}
	}
}

// run, runleast and update start the same container but for what their names say;
// no label has what runlabel's two splits at spaces would change.
func TestLabels(t *testing.T) {
	text, labels := read(t, "Containerfile"), map[string]string{}
	arguments := []string{`\$IMAGE`, "$IMAGE"}
	for _, m := range regexp.MustCompile(`(?m)^ARG (\w+)="(.*)"`).FindAllStringSubmatch(text, -1) {
		arguments = append(arguments, "${"+m[1]+"}", m[2])
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:LABEL|     ) (\w+)="(.*)"`).FindAllStringSubmatch(text, -1) {
		labels[m[1]] = strings.NewReplacer(arguments...).Replace(m[2])
	}
	for name, text := range labels {
		if strings.ContainsAny(text, `'"\;&|<>()`+"`") || strings.Count(text, "$") != strings.Count(text, "$IMAGE") || !strings.HasPrefix(text, "podman ") {
			t.Errorf("the label %s is not one plain podman command: %s", name, text)
		}
	}
	const privileges, least = " --privileged --device /dev/fuse --device /dev/net/tun ", " --cap-add SYS_ADMIN --security-opt unmask=/proc/* --security-opt label=disable --device /dev/net/tun --device /dev/fuse "
	for name, want := range map[string]string{
		"runleast": strings.Replace(labels["run"], privileges, least, 1),
		"update":   strings.Replace(labels["run"], "podman run ", "podman run --replace --pull newer ", 1),
	} {
		if diff := cmp.Diff(want, labels[name]); diff != "" {
			t.Errorf("label %s (-run +%s):\n%s", name, name, diff)
		}
	}
}
