package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
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
				problems = append(problems, fmt.Sprintf("alias: service %d has %q already", other, alias))
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

// addedService reads one of those tables.
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
					return fmt.Errorf("%q is no host name that a service may have", truncate(alias, 40))
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

// defaultAlias is the last part of the image's path.
func (s AddedService) defaultAlias() string {
	name := mustParseImage(s.Name).String()
	name, _, _ = strings.Cut(name[strings.LastIndex(name, "/")+1:], "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// appendWord refuses what no command line can have.
func appendWord(list *[]string) func(string) error {
	return func(s string) error {
		if strings.ContainsRune(s, 0) {
			return errors.New("it has a NUL byte")
		}
		return appendTo(list)(s)
	}
}

// appendVariable never shows a value: it may be a secret.
func appendVariable(list *[]string) func(string) error {
	return func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || !IsVariableName(name) {
			return errors.New("want NAME=value")
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("the value of %s has a NUL byte", name)
		}
		return appendTo(list)(s)
	}
}

// ServiceRequest is one service that a job asks for.
type ServiceRequest struct {
	Image string
	// Aliases are those of the job's author, DefaultAliases the ones that the
	// image's name makes.
	Aliases, DefaultAliases []string
	Entrypoint, Command     []string
	PullPolicies            []string
	User, Platform          string
}

// ServiceGrant is one service that a job gets.
type ServiceGrant struct {
	Image Image
	Pull  PullPolicies
	// Platform is the zero Platform for the machine's own.
	Platform Platform
	// Added tells that the policy adds it; Index is its place among the
	// policy's services, or among the job's.
	Added bool
	Index int
	// Aliases are the names on the job's network.
	Aliases             []string
	Entrypoint, Command []string
	Environment         []string
	// User is USER[:GROUP], empty for the image's.
	User string
	// Container is what the service's container gets.
	Container Container
}

// aliasForm is what a name on the job's network looks like: RFC 1123, and the
// underscores of docker's default names.
var aliasForm = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\z`)

// Names that mean something else in a container, whatever network it is on.
var reservedAliases = []string{"localhost", "host.containers.internal", "host.docker.internal"}

func isAlias(s string) bool {
	return aliasForm.MatchString(s) && !slices.Contains(reservedAliases, strings.ToLower(s))
}

// mayHave tells whether a service of a job may have an alias.
func mayHave(alias string, reserved []string) bool {
	return isAlias(alias) && !slices.Contains(reserved, strings.ToLower(alias))
}

// allowed returns the names that a service may have of those that its image makes:
// an image can be called like a host.
func allowed(defaults, reserved []string) []string {
	return slices.DeleteFunc(slices.Clone(defaults), func(alias string) bool { return !mayHave(alias, reserved) })
}

// defaultServicesLimit is more than jobs are seen to have, and few enough that a job of
// busy services does not take the machine from all others.
const defaultServicesLimit = 16

const servicesLimitKey = "general.podman.services_limit"

// servicesLimit is how many services a job may have, negative for any number.
func (pm Podman) servicesLimit() int {
	if pm.ServicesLimit.Set {
		return pm.ServicesLimit.Value
	}
	return defaultServicesLimit
}

// decideServices grants the policy's services and the job's. Of two services with
// one alias the first has it; one that is left without any is not started, as in
// docker (gitlab-runner executors/docker/services.go:172), and stands in
// Grant.Notices.
func (p *Policy) decideServices(r Request, g *Grant) *Denial {
	pm := p.General.Podman
	if asked, limit := len(pm.Services)+len(r.Services), pm.servicesLimit(); limit >= 0 && asked > limit {
		return p.denial("the job's services", servicesLimitKey,
			fmt.Sprintf("%d services are asked for, and %d are allowed by services_limit", asked, limit),
			"use fewer `services:` in .gitlab-ci.yml")
	}
	taken := map[string]bool{}
	for i, added := range pm.Services {
		s := ServiceGrant{
			Image: mustParseImage(added.Name), Pull: g.RunnerPull, Added: true, Index: i,
			Entrypoint: added.Entrypoint, Command: added.Command, Environment: added.Environment,
		}
		g.addService(s, added.Aliases, allowed([]string{added.defaultAlias()}, nil), taken)
	}
	for i, asked := range r.Services {
		s, d := p.service(asked, r.ReservedAliases)
		if d != nil {
			return d
		}
		s.Index = i
		g.addService(s, asked.Aliases, allowed(asked.DefaultAliases, r.ReservedAliases), taken)
	}
	for i := range g.Services {
		g.Services[i].Container = pm.ServiceContainer.of(g.Services[i].Image)
	}
	return nil
}

// addService gives a service the aliases that are free, the author's own first.
func (g *Grant) addService(s ServiceGrant, own, defaults []string, taken map[string]bool) {
	for i, alias := range slices.Concat(own, defaults) {
		if key := strings.ToLower(alias); !taken[key] {
			taken[key] = true
			s.Aliases = append(s.Aliases, alias)
		} else if i < len(own) && !slices.ContainsFunc(s.Aliases, func(has string) bool { return strings.EqualFold(has, alias) }) {
			g.Notices = append(g.Notices, fmt.Sprintf("skipping the alias %q of the service %s: another service has it", alias, s.Image))
		}
	}
	if len(s.Aliases) == 0 {
		g.Notices = append(g.Notices, fmt.Sprintf("the service %s is not started: it has no alias of its own; give it one by `alias:`", s.Image))
		return
	}
	g.Services = append(g.Services, s)
}

// service decides on one service of the job.
func (p *Policy) service(r ServiceRequest, reserved []string) (ServiceGrant, *Denial) {
	const advice = "write `services:` in .gitlab-ci.yml as registry/path:tag"
	pm := p.General.Podman
	image, err := ParseImage(r.Image)
	if err != nil {
		return ServiceGrant{}, p.denial("a service", "", err.Error(), advice)
	}
	subject := fmt.Sprintf("service %q", image)
	list, key := pm.ServiceAllowList, "general.podman.service_allow_list"
	if len(list) == 0 {
		list, key = pm.ImageAllowList, "general.podman.image_allow_list"
	}
	if _, ok := match(list, image.String()); len(list) > 0 && !ok {
		return ServiceGrant{}, p.denial(subject, key, "no entry of "+strings.TrimPrefix(key, "general.podman.")+" matches", "")
	}
	for _, alias := range r.Aliases {
		if !mayHave(alias, reserved) {
			return ServiceGrant{}, p.denial(subject, "", fmt.Sprintf("the alias %q is no host name that a service may have", truncate(alias, 80)), "choose another `alias:`, of letters, digits and hyphens")
		}
	}
	platform, err := ParsePlatform(r.Platform)
	if err != nil {
		return ServiceGrant{}, p.denial("the docker:platform of "+subject, "", err.Error(), platformAdvice)
	}
	user, d := p.serviceUser(r.User, subject)
	if d != nil {
		return ServiceGrant{}, d
	}
	pull, d := p.pull(r.PullPolicies, p.pullInForce())
	if d != nil {
		return ServiceGrant{}, d
	}
	if reason := badEntrypoint(r.Entrypoint); reason != "" {
		return ServiceGrant{}, p.denial("the entrypoint of "+subject, "", reason, "mend `entrypoint:` in .gitlab-ci.yml")
	}
	if reason := badWords(r.Command); reason != "" {
		return ServiceGrant{}, p.denial("the command of "+subject, "", reason, "mend `command:` in .gitlab-ci.yml")
	}
	return ServiceGrant{Image: image, Pull: pull, Platform: platform, User: user, Entrypoint: r.Entrypoint, Command: r.Command}, nil
}
