package policy

import (
	"errors"
	"fmt"
	"strings"
)

// serviceList reads the tables [[general.podman.services]].
func serviceList(value any) (list []AddedService, wrong []string) {
	tables, ok := value.([]map[string]any)
	if !ok {
		return nil, []string{"want tables [[general.podman.services]], got " + describe(value)}
	}
	owners := map[string]int{}
	for i, table := range tables {
		s, problems := addedService(table)
		for _, alias := range s.Aliases {
			if other := owners[strings.ToLower(alias)]; other > 0 {
				problems = append(problems, fmt.Sprintf("alias: %q is already an alias of service %d", alias, other))
			} else {
				owners[strings.ToLower(alias)] = i + 1
			}
		}
		for _, p := range problems {
			wrong = append(wrong, fmt.Sprintf("service %d: %s", i+1, p))
		}
		list = append(list, s)
	}
	return list, wrong
}

// addedService reads one of the tables [[general.podman.services]].
func addedService(table map[string]any) (s AddedService, wrong []string) {
	for _, name := range sorted(table) {
		var problems []string
		switch name {
		case "name":
			text, ok := table[name].(string)
			if s.Name = text; !ok {
				problems = []string{"want a string, got " + describe(table[name])}
			} else if _, err := ParseImage(text); err != nil {
				problems = []string{err.Error()}
			}
		case "alias":
			problems = eachString(table[name], func(alias string) error {
				if !isAlias(alias) {
					return fmt.Errorf("%q is invalid or reserved", truncate(alias, 40))
				}
				return appendTo(&s.Aliases)(alias)
			})
		case "entrypoint":
			problems = eachString(table[name], appendWord(&s.Entrypoint))
		case "command":
			problems = eachString(table[name], appendWord(&s.Command))
		case "environment":
			problems = eachString(table[name], appendVariable(&s.Environment))
		default:
			problems = []string{"unknown key"}
		}
		for _, p := range problems {
			wrong = append(wrong, name+": "+p)
		}
	}
	if _, ok := table["name"]; !ok {
		wrong = append(wrong, "name: missing: the image of the service")
	}
	return s, wrong
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

// appendWord refuses words that a command line cannot have.
func appendWord(list *[]string) func(string) error {
	return func(s string) error {
		if strings.ContainsRune(s, 0) {
			return errors.New("contains a NUL byte")
		}
		return appendTo(list)(s)
	}
}

// appendVariable takes NAME=value. Its errors do not show the value: it may be a secret.
func appendVariable(list *[]string) func(string) error {
	return func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || !IsVariableName(name) {
			return errors.New("want NAME=value")
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("the value of %s contains a NUL byte", name)
		}
		return appendTo(list)(s)
	}
}
