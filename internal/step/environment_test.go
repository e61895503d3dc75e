package step

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/internal/shell/shelltest"
)

// TestStubEnvironment: the environment of a script is the container's. An image's variable that
// is called as one of the stub's keeps its value.
func TestStubEnvironment(t *testing.T) {
	used := shelltest.Variables(hide + stub(0))
	for _, name := range []string{"size", "shell", "script", "mode", "dir", "umask", "aside"} {
		if !slices.Contains(used, name) {
			t.Errorf("the names in the stub lack %s: %q", name, used)
		}
	}
	inShells(t, func(t *testing.T, c container) {
		var env []string
		for _, name := range used {
			env = append(env, name+"=the image's "+name)
		}
		entries := []EntryPoint{{Shell: true}, {Words: []string{"env"}, Shell: true}, {Words: []string{"sh"}}, {}, {Shell: true, Login: true}, {Words: []string{"env"}, Shell: true, Login: true}}
		for _, where := range []Where{User, Runner} {
			for _, entry := range entries {
				c.env = env
				got := c.run(t, where, entry, c.inputBehind(t, "#!/bin/sh\nenv\n", map[Where]Clean{Runner: CleanModules}[where]))
				lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
				lines = slices.DeleteFunc(lines, func(line string) bool {
					name, _, _ := strings.Cut(line, "=")
					return slices.Contains([]string{"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"}, name) || where == Runner && strings.HasPrefix(name, "GIT_")
				})
				slices.Sort(lines)
				want := slices.Sorted(slices.Values(env))
				if !slices.Equal(lines, want) {
					t.Errorf("%v, %+v: the script's environment is %q, want %q\n%s", where, entry, lines, want, got.stderr)
				}
			}
		}
	})
}

// TestStubGitConfiguration: what a job configures by GIT_CONFIG_COUNT is in force beside what the
// stub configures.
func TestStubGitConfiguration(t *testing.T) {
	c := newContainer(t, "sh", true)
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(git, filepath.Join(c.path, "git")); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nexport GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.https://x/.insteadOf GIT_CONFIG_VALUE_0=ssh://x/\n" +
		"git config --get-all safe.directory; git config --get core.fsmonitor; git config --get url.https://x/.insteadOf\n"
	want(t, c.run(t, Runner, EntryPoint{Shell: true}, c.input(t, script)), result{stdout: "*\nfalse\nssh://x/\n"})
}
