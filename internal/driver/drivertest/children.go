package drivertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"podman-executor/internal/fakepodman"
	"podman-executor/internal/job"
)

// After each script the environment of each child of a program is checked, see
// [world.checkChildren]: it must not have any name or value that a job chose. The fake podman
// records its own environment. Other programs that a script provides, such as a launcher, are
// shell scripts, into which [recorded] inserts a line that does so.

// childrenDir has a file for each call of such a shell script, and one with all calls of the
// fake podman.
const childrenDir = "home/children"

// environmentNames are all names that a child may have in its environment, besides those that
// the policy adds to it (general.podman.environment).
var environmentNames = []string{
	// podman.Environment, made only from the environment of gitlab-runner's own process.
	"PATH", "TMPDIR", "LC_ALL", "HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
	// For Slurm's launchers: the driver's name for a step's container.
	"SLURM_JOB_NAME", "SBATCH_JOB_NAME",
	// For sbatch: do not take lines of its job script for other schedulers' options.
	"SBATCH_IGNORE_PBS",
}

// shellNames are what bash adds, for a step on the host, and what the driver sets there for
// git: see [step.Host].
var shellNames = []string{
	"PWD", "OLDPWD", "SHLVL", "_",
	"GIT_CEILING_DIRECTORIES", "GIT_CONFIG_PARAMETERS",
}

// notable is how long a value must be to be looked for, in bytes: shorter ones may occur
// anywhere.
const notable = 6

// child is one process that a program has called.
type child struct {
	what string
	args []string
	env  []string
	// shell means that bash has called it.
	shell bool
}

// checkChildren returns what is wrong with the children of all programs that the script
// has called.
func (w *world) checkChildren() error {
	children, err := w.children()
	if err != nil {
		return err
	}
	allowed, values, secrets := slices.Concat(environmentNames, w.policyNames()), w.values(), w.secrets()
	var problems []string
	for _, c := range children {
		for _, v := range c.env {
			name, value, _ := strings.Cut(v, "=")
			if !slices.Contains(allowed, name) && !(c.shell && slices.Contains(shellNames, name)) {
				problems = append(problems, fmt.Sprintf("%s has %q in its environment, which is not of the closed list in drivertest/children.go", c.what, name))
			}
			for from, text := range values {
				if strings.Contains(value, text) {
					problems = append(problems, fmt.Sprintf("%s has the value of %s in its environment, as %s", c.what, from, name))
				}
			}
		}
		for from, text := range secrets {
			if slices.ContainsFunc(c.args, func(arg string) bool { return strings.Contains(arg, text) }) {
				problems = append(problems, fmt.Sprintf("%s has the value of %s on its command line", c.what, from))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems)
	return errors.New(strings.Join(slices.Compact(problems), "\n"))
}

// children are podman's calls and those of shell scripts.
func (w *world) children() ([]child, error) {
	calls, err := fakepodman.ReadLog(filepath.Join(w.dir, "home", fakepodman.AllCalls))
	if err != nil {
		return nil, err
	}
	var list []child
	for _, c := range calls {
		list = append(list, child{what: "podman " + c.Verb, args: c.Args, env: c.Env})
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, childrenDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Name() == filepath.Base(fakepodman.AllCalls) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(w.dir, childrenDir, entry.Name()))
		if err != nil {
			return nil, err
		}
		args, env, ok := bytes.Cut(text, []byte(between))
		if !ok {
			continue // killed while it wrote
		}
		name, _, _ := strings.Cut(entry.Name(), ".")
		c := child{what: name, args: words(args), env: words(env)}
		c.shell = slices.ContainsFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "SHLVL=") })
		list = append(list, c)
	}
	return list, nil
}

func words(text []byte) []string {
	return slices.DeleteFunc(strings.Split(string(text), "\x00"), func(s string) bool { return s == "" })
}

// between separates arguments and environment in a record.
const between = "\x00 environment \x00"

// recorded inserts a line into a shell script that records how it is called; but not into one
// named "script", which the runner passes to a step.
func (w *world) recorded(name, text string) string {
	const first = "#!/bin/sh\n"
	body, ok := strings.CutPrefix(text, first)
	if !ok || filepath.Base(name) == "script" {
		return text
	}
	file := filepath.Join(w.dir, childrenDir, filepath.Base(name)) + ".$$"
	return first + fmt.Sprintf("{ cat /proc/$$/cmdline; printf '\\0 environment \\0'; cat /proc/$$/environ; } >\"%s\"\n", file) + body
}

// policyNames are the names of general.podman.environment of all policies of the script.
func (w *world) policyNames() (names []string) {
	for _, p := range w.policies() {
		for _, v := range p.General.Podman.Environment {
			name, _, _ := strings.Cut(v, "=")
			names = append(names, name)
		}
	}
	return names
}

// policyFile is the part of a policy that adds to the environment.
type policyFile struct {
	General struct {
		Podman struct {
			Environment []string `toml:"environment"`
		} `toml:"podman"`
	} `toml:"general"`
}

func (w *world) policies() (list []policyFile) {
	for _, name := range w.files(".toml") {
		var p policyFile
		if _, err := toml.DecodeFile(name, &p); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// variables are what all job responses of the script have.
func (w *world) variables() (list []job.Variable) {
	for _, name := range w.files(".json") {
		var response struct {
			Variables []job.Variable
			Services  []struct{ Variables []job.Variable }
		}
		text, err := os.ReadFile(name)
		if err != nil || json.Unmarshal(text, &response) != nil {
			continue
		}
		list = append(list, response.Variables...)
		for _, s := range response.Services {
			list = append(list, s.Variables...)
		}
	}
	return list
}

// values are all values that a job has chosen, by what has them.
func (w *world) values() map[string]string {
	values := map[string]string{}
	for _, v := range w.vars {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "CUSTOM_ENV_") && len(value) >= notable {
			values[name] = value
		}
	}
	for _, v := range w.variables() {
		if len(v.Value) >= notable {
			values["the variable "+v.Key] = v.Value
		}
	}
	return values
}

// secrets are the values that may not be on a command line either: of variables that are
// not public, as GitLab has them and as the runner hands them over.
func (w *world) secrets() map[string]string {
	secrets, values := map[string]string{}, w.values()
	for _, v := range w.variables() {
		for _, name := range []string{"the variable " + v.Key, "CUSTOM_ENV_" + v.Key} {
			if text, ok := values[name]; ok && !v.Public {
				secrets[name] = text
			}
		}
	}
	return secrets
}

// files are the script's files whose names end with a suffix.
func (w *world) files(suffix string) (list []string) {
	_ = filepath.WalkDir(w.dir, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, suffix) {
			list = append(list, name)
		}
		return nil
	})
	return list
}
