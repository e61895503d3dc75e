package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containers/common/pkg/config"
)

// PullPolicies are podman's pull policies. They are tried in their order until one gives an
// image. Nil: the file does not have the key.
type PullPolicies []config.PullPolicy

// String returns the policies' names, quoted.
func (ps PullPolicies) String() string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = strconv.Quote(p.String())
	}
	return strings.Join(names, ", ")
}

// read takes one pull policy, or a list of them.
func (ps *PullPolicies) read(value any) []string {
	take := func(s string) error {
		p, err := parsePullPolicy(s)
		*ps = append(*ps, p)
		return err
	}
	switch v := value.(type) {
	case string:
		if err := take(v); err != nil {
			return []string{err.Error()}
		}
		return nil
	case []any:
		return eachString(v, take)
	default:
		return []string{"want a pull policy or a list of them, got " + describe(value)}
	}
}

// parsePullPolicy takes the names that podman's library takes, and GitLab's
// "if-not-present". The library also takes older names and the empty string; these are
// errors here.
func parsePullPolicy(s string) (config.PullPolicy, error) {
	name := s
	if s == "if-not-present" {
		name = config.PullPolicyMissing.String()
	}
	p, err := config.ParsePullPolicy(name)
	if err != nil || p.String() != name {
		return 0, fmt.Errorf("unknown pull policy %q: want always, missing, never, newer or if-not-present", truncate(s, 40))
	}
	return p, nil
}
