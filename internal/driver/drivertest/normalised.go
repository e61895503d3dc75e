package drivertest

import (
	"regexp"
	"slices"
	"strings"

	"podman-executor/internal/fakepodman"
	"podman-executor/internal/handover"
	"podman-executor/internal/step"
)

// once and loop are the shell programs of the containers, too long for goldens;
// internal/step, internal/handover test them.
var (
	once = step.Command(step.User, step.EntryPoint{}, step.Sources{})[1]
	loop = handover.Command(step.User, step.EntryPoint{}, step.Sources{})[1]
)

var volatile = []struct {
	text *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`(io\.podman-executor\.deadline=)[0-9]{10}\b`), "${1}DEADLINE"},
	{regexp.MustCompile(`pulled in [0-9]+\.[0-9] s`), "pulled in N s"},
	{regexp.MustCompile(`(pulled in N s \([0-9.]+ MB, )[0-9.]+ MB/s`), "${1}N MB/s"},
	{regexp.MustCompile(`podman-executor-pull-[0-9]+`), "podman-executor-pull-N"},
	{regexp.MustCompile(`trying again in [0-9]+\.[0-9] s`), "trying again in N s"},
	{regexp.MustCompile(`(podman-executor-doctor-)[0-9]+`), "${1}PID"},
	{regexp.MustCompile(`"hostname":"[^"]*",`), `"hostname":"HOST",`},
	{regexp.MustCompile(`"version":"[^"]+"`), `"version":"VERSION"`},
	{regexp.MustCompile(`ok       [0-9]+ MB in /`), "ok       N MB in /"},
	// The ranges of the user who runs the tests, or none.
	{regexp.MustCompile(`(?m)^(subuid, subgid) .*\n(?: +-> .*\n)?`), "$1   RANGES\n"},
	// The tests have a home of their own, and most often on a disk: internal/preflight tests both rows.
	{regexp.MustCompile(`(?m)^HOME +warning .*\n +-> .*\n`), ""},
	{regexp.MustCompile(`(?m)^XDG_RUNTIME_DIR +warning  .*, is on a disk: .*\n +-> .*\n`), ""},
}

// normalised replaces what differs from run to run, and what nobody can read:
// an image's ID is ID(NAME).
func (w *world) normalised(text string) string {
	pairs := []string{w.fake, "$PODMAN", w.owner.String(), "OWNER", w.dir, "$WORK"}
	for _, name := range w.images() {
		id := fakepodman.ImageID(name)
		pairs = append(pairs, id, "ID("+name+")", fakepodman.ImageDigest(name), "DIGEST("+name+")")
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	for _, v := range volatile {
		text = v.text.ReplaceAllString(text, v.name)
	}
	return text
}

// images returns the names of the images that podman was asked for.
func (w *world) images() []string {
	calls, err := fakepodman.ReadLog(w.log())
	if err != nil {
		return nil
	}
	var names []string
	for _, c := range calls {
		if !strings.HasPrefix(c.Verb, "image-") {
			continue
		}
		for _, name := range fakepodman.NamesIn(c.Args) {
			if !fakepodman.IsID.MatchString(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
