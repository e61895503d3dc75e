package job

import (
	"os"
	"slices"
	"strings"
)

// Service is an entry of `services:`.
type Service struct {
	Image
	// Aliases are those that the job's author gave.
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

// DefaultAliases returns the names that docker users reach a service by without
// an alias: the image's name, without its tag and its registry's port, with `__`
// and with `-` for each slash (gitlab-runner
// helpers/container/services/services.go:27).
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

// Expand replaces $NAME and ${NAME} in a value by what lookup returns for it; `$$`
// stands for a dollar sign.
func Expand(value string, lookup func(string) string) string {
	return os.Expand(value, func(name string) string {
		if name == "$" {
			return name
		}
		return lookup(name)
	})
}

// ServiceEnv returns the environment of a service, NAME=value: the job's public
// variables, then the service's own (gitlab-runner common/build.go:2105). expanded
// returns a variable of the job as the runner has expanded it. Variables of files
// carry the file's path, which means nothing in a service: they are left out. Of
// two variables of one name the last counts: expanded returns that one's value, and
// it may be a secret although the first is public. So may the value of one of `secrets:`,
// which the runner has put behind all of them: the public variable has its own value then.
func (j *Job) ServiceEnv(s Service, expanded func(string) string) []string {
	last, own := map[string]int{}, map[string]string{}
	for i, v := range j.Variables {
		last[v.Key] = i
	}
	for _, v := range s.Variables {
		own[v.Key] = v.Value
	}
	lookup := func(name string) string {
		if value, ok := own[name]; ok {
			return value
		}
		return expanded(name)
	}
	var env []string
	for i, v := range j.Variables {
		if _, replaced := own[v.Key]; v.Public && !v.File && !replaced && last[v.Key] == i {
			env = append(env, v.Key+"="+j.publicValue(v, expanded))
		}
	}
	for _, v := range s.Variables {
		value := v.Value
		if !v.Raw {
			value = Expand(value, func(name string) string {
				if name == v.Key {
					return expanded(name)
				}
				return lookup(name)
			})
		}
		env = append(env, v.Key+"="+value)
	}
	return env
}

// publicValue returns the value of a public variable.
func (j *Job) publicValue(v Variable, expanded func(string) string) string {
	switch {
	case !slices.Contains(j.Secrets, v.Key):
		return expanded(v.Key)
	case v.Raw:
		return v.Value
	}
	return Expand(v.Value, func(name string) string {
		if name == v.Key {
			return ""
		}
		return expanded(name)
	})
}
