package leftovers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"podman-executor/internal/fakepodman"
	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

// fakePodman lists what the file of the list's name has, and removes everything
// but what is called "stuck".
func fakePodman(dir string, args []string) int {
	list := args[0]
	if list == "network" {
		list += "-" + args[1]
	}
	text, err := os.ReadFile(filepath.Join(dir, list))
	switch {
	case err == nil:
		answer, err := fakepodman.Render(args, string(text))
		if err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			return 125
		}
		fmt.Print(answer)
	case slices.Contains(args, "stuck") || list == "ps" || list == "network-ls":
		fmt.Fprintln(os.Stderr, "Error: broken")
		return 125
	}
	return 0
}

// machine returns a podman that lists those objects, and what it has removed.
func machine(t *testing.T, list string, objects any) (p *podman.Podman, removed func() string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if objects != nil {
		text, err := json.Marshal(objects)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, list), string(text))
	}
	var calls []string
	observe := func(c podman.Command) {
		if line := strings.Join(c.Args, " "); !strings.Contains(line, "label="+job.LabelManaged) {
			calls = append(calls, line)
		}
	}
	env := []string{roleVariable + "=podman", "FAKE_DIR=" + dir}
	return &podman.Podman{Program: program, Env: env, Observe: observe}, func() string { return strings.Join(calls, "\n") }
}

// labels returns what objects of four kinds have: of a living runner and of a dead
// one, to be kept or not.
func labels(t *testing.T, now time.Time) map[string]map[string]string {
	t.Helper()
	living, _ := runner(t)
	dead, end := runner(t)
	end()
	all := map[string]map[string]string{"foreign": {job.LabelManaged: "true"}}
	for name, owner := range map[string]job.Process{"living": living, "dead": dead} {
		for _, keep := range []bool{false, true} {
			l := map[string]string{
				job.LabelManaged: "true", job.LabelOwner: owner.String(),
				job.LabelDeadline: strconv.FormatInt(now.Add(time.Hour).Unix(), 10),
			}
			if keep {
				l[job.LabelAttempt] = "custom-executor1"
				job.Keep(l)
				name = "kept-" + name
			}
			all[name] = l
		}
	}
	return all
}

// TestContainers: containers of dead runners are removed, unless they are to be kept. A
// container with one of this job's own names is always removed, because podman could not create
// another with that name. ours is how the driver names an object of the job 1.
func ours(name, role string) string { return "podman-executor-" + name + "-1-" + role }

func names(list, role string) []string {
	all := strings.Fields(list)
	for i, name := range all {
		all[i] = ours(name, role)
	}
	return all
}

// as returns labels as those of an object of the job 1.
func as(role string, labels map[string]string) map[string]string {
	labels = maps.Clone(labels)
	labels[job.LabelRole], labels[job.LabelJob] = role, "1"
	return labels
}

// container is one of `podman ps --format json`.
func container(id string, labels map[string]string, names ...string) any {
	return map[string]any{"Id": id, "Names": names, "Labels": as("user", labels)}
}

func TestContainers(t *testing.T) {
	const rm = "rm --force --ignore --volumes --time 0 -- "
	now := time.Now()
	all := labels(t, now)
	tests := []struct{ own, ids, removed string }{
		{"", "id-dead", "dead"},
		{"other", "id-dead", "dead"},
		{"living", "id-dead id-living", "dead living"},
		{"kept-dead", "id-dead id-kept-dead", "dead kept-dead"},
		{"kept-living foreign", "id-dead id-foreign id-kept-living", "dead foreign kept-living"},
		{"dead", "id-dead", "dead"},
	}
	for _, test := range tests {
		list := []any{container("id-unnamed", all["dead"])}
		for _, name := range []string{"dead", "foreign", "kept-dead", "kept-living", "living"} {
			list = append(list, container("id-"+name, all[name], ours(name, "user"), "second-name"))
		}
		p, calls := machine(t, "ps", list)
		removed, unseen, err := Containers(t.Context(), p, now, names(test.own, "user")...)
		if err != nil || unseen || strings.Join(removed, " ") != strings.Join(names(test.removed, "user"), " ") || calls() != rm+test.ids {
			t.Errorf("%q: %q, %v, by\n%s", test.own, removed, err, calls())
		}
	}
}

// For owners that cannot be seen from here only the deadline counts, unless their objects are
// kept anyway, or removed now.
func TestContainersElsewhere(t *testing.T) {
	now := time.Now()
	here, _ := runner(t)
	afar, inside := here, here
	afar.Host += ".elsewhere"
	inside.Namespace += "1"
	earlier, later := now.Add(-time.Hour), now.Add(time.Hour)
	for _, test := range []struct {
		owner    string
		deadline time.Time
		keep     bool
		want     bool
	}{
		{here.String(), later, false, false},
		{here.String(), earlier, false, false},
		{afar.String(), later, false, true},
		{inside.String(), later, false, true},
		{afar.String(), earlier, false, false},
		{afar.String(), later, true, false},
		{"", later, false, false},
	} {
		l := map[string]string{
			job.LabelOwner: test.owner, job.LabelAttempt: "/a", job.LabelDeadline: strconv.FormatInt(test.deadline.Unix(), 10),
		}
		if test.keep {
			job.Keep(l)
		}
		p, _ := machine(t, "ps", []any{container("id", l, ours("x", "user"))})
		if _, unseen, err := Containers(t.Context(), p, now); err != nil || unseen != test.want {
			t.Errorf("%+v: %v, %v", test, unseen, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	now := time.Now()
	all := labels(t, now)
	tests := []struct{ own, removed string }{
		{"", "dead"},
		{"other", "dead"},
		{"living", "dead --force living"},
		{"kept-dead", "dead --force kept-dead"},
		{"kept-living foreign", "dead --force foreign --force kept-living"},
		{"dead", "--force dead"},
	}
	for _, test := range tests {
		var list []any
		for _, name := range []string{"dead", "foreign", "kept-dead", "kept-living", "living"} {
			list = append(list, map[string]any{"name": ours(name, "network"), "labels": as("network", all[name])})
		}
		p, calls := machine(t, "network-ls", list)
		err := Networks(t.Context(), p, now, names(test.own, "network")...)
		got := strings.NewReplacer("network rm ", "", "-- ", "", "podman-executor-", "", "-1-network", "").Replace(calls())
		if err != nil || strings.ReplaceAll(got, "\n", " ") != test.removed {
			t.Errorf("%q: %v, by\n%s", test.own, err, calls())
		}
	}
}

func TestNothingLeft(t *testing.T) {
	for list, remove := range map[string]func(*podman.Podman) error{
		"ps":         func(p *podman.Podman) error { _, _, err := Containers(t.Context(), p, time.Now(), "own"); return err },
		"network-ls": func(p *podman.Podman) error { return Networks(t.Context(), p, time.Now(), "own", "stuck") },
	} {
		p, calls := machine(t, list, []string{})
		if err := remove(p); err != nil || calls() != "" {
			t.Errorf("%s: %v, by\n%s", list, err, calls())
		}
		p, _ = machine(t, list, nil)
		if err := remove(p); err == nil || !strings.HasPrefix(err.Error(), "looking for leftovers: podman ") {
			t.Errorf("%s fails: %v", list, err)
		}
		// Containers are removed by their ids, networks by their names.
		p, _ = machine(t, list, []map[string]any{{"Id": "stuck", "Names": []string{"own"}, "name": "stuck"}})
		if err := remove(p); err == nil || !strings.HasPrefix(err.Error(), "removing leftovers: podman ") {
			t.Errorf("removing what is in %s fails: %v", list, err)
		}
	}
}
