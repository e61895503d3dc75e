package job

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Service is an entry of `services:`.
type Service struct {
	Image
	// Aliases are the ones that the job's author chose.
	Aliases   []string
	Command   []string
	Variables []Variable
}

// Variable is a CI/CD variable as GitLab sent it.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	File   bool   `json:"file"`
	Raw    bool   `json:"raw"`
}

func (r imageResponse) service() Service {
	return Service{
		Image: r.image(), Command: r.Command, Variables: r.Variables,
		// One string with all of them (gitlab-runner common/spec/spec.go:336).
		Aliases: strings.Fields(strings.ReplaceAll(r.Alias, ",", " ")),
	}
}

// DefaultAliases returns the names under which docker users reach a service without an alias:
// the image's name, without its tag and its registry's port, with `__` and with `-` for each
// slash (gitlab-runner helpers/container/services/services.go:27).
func DefaultAliases(image string) []string {
	name, _, _ := strings.Cut(image, "@")
	host, rest, hasHost := strings.Cut(name, "/")
	if hasHost {
		host, _, _ = strings.Cut(host, ":")
		name = host + "/" + rest
	}
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	long, short := strings.ReplaceAll(name, "/", "__"), strings.ReplaceAll(name, "/", "-")
	if long == short {
		return []string{long}
	}
	return []string{long, short}
}

const (
	// LongestVariable is how long NAME=value may be in an environment, and
	// mostEnvironment how much a process may get of them all, with any limits, in
	// bytes (execve(2): MAX_ARG_STRLEN, with the byte at its end; 3/4 of _STK_LIM, with
	// a pointer for each).
	LongestVariable = 128<<10 - 1
	mostEnvironment = 6 << 20
	pointer         = 8
)

// ErrTooMuch is the error of variables that are too large for any process.
var ErrTooMuch = fmt.Errorf("its variables are larger than %d MiB in total, more than a process can have", mostEnvironment>>20)

// Expand replaces $NAME and ${NAME} in a value by what lookup returns for it; `$$` stands for a
// dollar sign. It returns false if the value or the result has more than most bytes: a short
// value can expand to a very long one.
func Expand(value string, most int, lookup func(string) string) (string, bool) {
	if len(value) > most {
		return "", false
	}
	left := most
	expanded := os.Expand(value, func(name string) string {
		if name == "$" {
			return name
		}
		if left < 0 {
			return ""
		}
		text := lookup(name)
		if left -= len(text); left < 0 {
			return ""
		}
		return text
	})
	return expanded, left >= 0 && len(expanded) <= most
}

// ServiceEnv returns the environment of a service, NAME=value: the job's public variables, then
// the service's own (gitlab-runner common/build.go:2105), and the names of those that are left
// out, since they are longer than [LongestVariable]. expanded returns a variable of the job as
// the runner has expanded it. Variables of files carry the file's path, which means nothing in
// a service: they are left out. If two variables have the same name, the last one wins:
// expanded returns its value, which may be secret although the first is public. The same holds
// for one of `secrets:`, which the runner appends to all variables: then the public variable
// keeps its own value. The error is [ErrTooMuch].
func (j *Job) ServiceEnv(s Service, expanded func(string) string) (env, tooLong []string, err error) {
	last, own := map[string]int{}, map[string]int{}
	for i, v := range j.Variables {
		last[v.Key] = i
	}
	for i, v := range s.Variables {
		own[v.Key] = i
	}
	size := 0
	add := func(name, value string, ok bool) error {
		if !ok || len(name)+1+len(value) > LongestVariable {
			tooLong = append(tooLong, name)
			return nil
		}
		if size += len(name) + len("=") + len(value) + len("\x00") + pointer; size > mostEnvironment {
			return ErrTooMuch
		}
		env = append(env, name+"="+value)
		return nil
	}
	for i, v := range j.Variables {
		if _, replaced := own[v.Key]; v.Public && !v.File && !replaced && last[v.Key] == i {
			value, ok := j.publicValue(v, expanded)
			if err := add(v.Key, value, ok); err != nil {
				return nil, nil, err
			}
		}
	}
	for i, v := range s.Variables {
		if own[v.Key] != i {
			continue
		}
		value, ok := v.Value, true
		if !v.Raw {
			value, ok = Expand(value, LongestVariable, func(name string) string {
				if i, isOwn := own[name]; isOwn && name != v.Key {
					return s.Variables[i].Value
				}
				return expanded(name)
			})
		}
		if err := add(v.Key, value, ok); err != nil {
			return nil, nil, err
		}
	}
	return env, tooLong, nil
}

// publicValue returns the value of a public variable; see [Expand] for when there is none.
func (j *Job) publicValue(v Variable, expanded func(string) string) (value string, ok bool) {
	switch {
	case !slices.Contains(j.Secrets, v.Key):
		return expanded(v.Key), true
	case v.Raw:
		return v.Value, true
	}
	return Expand(v.Value, LongestVariable, func(name string) string {
		if name == v.Key {
			return ""
		}
		return expanded(name)
	})
}
