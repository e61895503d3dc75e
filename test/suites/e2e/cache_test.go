//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// cached is a job with a cache of the file `cached`, which it prints and adds
// its name to.
func cached(name, key string) gitlab.Job {
	j := job(name, "cat cached || echo there is no cache", fmt.Sprintf("echo from %s >>cached", name))
	j.Cache = []gitlab.Cache{{Key: key, Paths: []string{"cached"}, Policy: "pull-push", When: "on_success"}}
	return j
}

// Each job finds what an earlier one saved, and nothing else: the builds are gone
// before each, so only the cache can have the file.
func TestCache(t *testing.T) {
	t.Parallel()
	m := start(t, defaults())
	type change func(*gitlab.Job)
	policy := func(p string) change { return func(j *gitlab.Job) { j.Cache[0].Policy = p } }
	when := func(w string) change { return func(j *gitlab.Job) { j.Cache[0].When = w } }
	fails := func(j *gitlab.Job) { j.Steps[0].Script = append(slices.Clone(j.Steps[0].Script), "exit 3") }
	fallback := func(keys ...string) change { return func(j *gitlab.Job) { j.Cache[0].FallbackKeys = keys } }
	for i, row := range []struct {
		name, key string
		changes   []change
		want      []string
	}{
		{"one", "k", nil, []string{"there is no cache", "Created cache"}},
		{"two", "k", nil, []string{"Successfully extracted cache", "from one\n", "Created cache"}},
		{"pull", "k", []change{policy("pull")}, []string{"from one\nfrom two\n", "Not uploading cache k due to policy"}},
		{"push", "k", []change{policy("push")}, []string{"Not downloading cache k due to policy", "there is no cache", "Created cache"}},
		{"fails", "k", []change{fails}, []string{"from push\n", "exit status 3"}},
		{"fails, saved on success", "s", []change{fails, when("on_success")}, []string{"there is no cache", "exit status 3"}},
		{"fails, saved on failure", "f", []change{fails, when("on_failure")}, []string{"there is no cache", "Created cache", "exit status 3"}},
		{"ends well, saved on failure", "f", []change{when("on_failure")}, []string{"from fails, saved on failure\n", "Job succeeded"}},
		{"saved on failure before", "f", []change{policy("pull")}, []string{"from fails, saved on failure\n"}},
		{"fallback", "new-$CI_COMMIT_REF_NAME", []change{fallback("none", "k")}, []string{"Checking cache for new-main", "Checking cache for none", "Checking cache for k", "from push\n", "Created cache"}},
		{"after the fallback", "new-main", nil, []string{"from push\nfrom fallback\n", "Created cache"}},
	} {
		if i > 0 {
			removeVolume(m, "-builds")
		}
		j := cached(row.name, row.key)
		for _, c := range row.changes {
			c(&j)
		}
		run := m.run(j)
		logs(t, run, row.want...)
		if strings.HasPrefix(row.name, "fails") {
			failed(t, run, "script_failure", 3)
		} else {
			succeeded(t, run)
		}
		if created := slices.Contains(row.want, "Created cache"); created != (count(run, "Created cache") == 1) {
			t.Errorf("job %q has saved its cache %d times", row.name, count(run, "Created cache"))
		}
	}
}

func removeVolume(m *machine, suffix string) {
	m.Helper()
	for _, name := range m.volumes() {
		if strings.HasSuffix(name, suffix) {
			podman(m.T, "volume", "rm", name)
			return
		}
	}
	m.Fatalf("there is no volume %s", suffix)
}

// What a job of a protected ref caches, no other ref reads or replaces under the
// same key, and the other way round; nor can a job reach it as a file.
func TestCacheOfProtectedRefs(t *testing.T) {
	t.Parallel()
	policies, dir := map[string]func(string) string{"volumes": defaults()}, "/none"
	if !overService() { // ssh:// has no data_dir
		policies["data_dir"], dir = dataDir(t)
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, policy)
			yes := true
			for _, row := range []struct {
				name      string
				protected bool
				want      []string
			}{
				{"merge request", false, []string{"Failed to extract cache", "there is no cache"}},
				{"release", true, []string{"Failed to extract cache", "there is no cache"}},
				{"second merge request", false, []string{"Successfully extracted cache", "from merge request\n"}},
				{"second release", true, []string{"Successfully extracted cache", "from release\n"}},
				{"third merge request", false, []string{"Successfully extracted cache", "from merge request\nfrom second merge request\n"}},
			} {
				j := cached(row.name, "k")
				j.Cache[0].FallbackKeys = []string{"k-protected", "../../project-7-protected/k"}
				other := dir + "/cache/project-7-protected"
				if row.protected {
					other = dir + "/cache/project-7"
				}
				j.Steps[0].Script = append(j.Steps[0].Script, "ls -R /cache "+dir+" 2>/dev/null || true", "if [ -e "+other+" ]; then echo the other is seen; fi")
				if row.protected {
					j.Git.Protected = &yes
				}
				run := m.run(j)
				succeeded(t, run)
				logs(t, run, append(row.want, "Created cache")...)
				lacks(t, run, "\nthe other is seen\n")
				if other := count(run, "from release\n"); other > 0 != (row.name == "second release") {
					t.Errorf("job %q sees the cache of the protected ref %d times", row.name, other)
				}
			}
			if name == "data_dir" {
				entries, err := os.ReadDir(dir + "/cache")
				if err != nil || len(entries) != 2 || entries[0].Name() != "project-7" || entries[1].Name() != "project-7-protected" {
					t.Errorf("data_dir/cache has %v (%v)", entries, err)
				}
			}
		})
	}
}
