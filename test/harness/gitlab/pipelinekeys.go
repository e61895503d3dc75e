package gitlab

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// settingKeys are the keys that default and a job have in common.
func (f *pipelineFile) settingKeys(s *settings) keys {
	return keys{
		"image": func(n ast.Node, where string) {
			image := f.image(n, where)
			s.image = &image
		},
		"services":      into(&s.services, f.serviceList),
		"before_script": into(&s.before, f.decoder.script),
		"after_script":  into(&s.after, f.decoder.script),
		"hooks": func(n ast.Node, where string) {
			f.object(n, where, keys{"pre_get_sources_script": into(&s.hook, f.decoder.script)})
		},
		"artifacts": func(n ast.Node, where string) {
			artifact := f.artifact(n, where)
			s.artifacts = &artifact
		},
		"cache":   into(&s.cache, f.cacheList),
		"timeout": into(&s.timeout, f.duration),
	}
}

// image is a name or a mapping.
func (f *pipelineFile) image(n ast.Node, where string) Image {
	if _, ok := n.(*ast.MappingNode); !ok {
		return Image{Name: f.text(n, where)}
	}
	var image Image
	f.object(n, where, f.imageKeys(&image))
	if image.Name == "" {
		f.fail(n, "%s: no name", where)
	}
	return image
}

func (f *pipelineFile) imageKeys(image *Image) keys {
	return keys{
		"name":        into(&image.Name, f.text),
		"entrypoint":  into(&image.Entrypoint, f.texts),
		"pull_policy": into(&image.PullPolicy, f.pullPolicies),
		"docker": func(n ast.Node, where string) {
			docker := &image.ExecutorOptions.Docker
			f.object(n, where, keys{"user": into(&docker.User, f.textOrNumber), "platform": into(&docker.Platform, f.text)})
		},
	}
}

// pullPolicies is one policy or a list of them; the job always gets a list.
func (f *pipelineFile) pullPolicies(n ast.Node, where string) []string {
	nodes := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		nodes = s.Values
	}
	var policies []string
	for _, p := range nodes {
		policies = append(policies, f.oneOf(p, where, "always", "if-not-present", "never"))
	}
	return policies
}

func (f *pipelineFile) serviceList(n ast.Node, where string) []Image {
	services := []Image{}
	for _, item := range f.list(n, where) {
		if _, ok := item.(*ast.MappingNode); !ok {
			services = append(services, Image{Name: f.text(item, where)})
			continue
		}
		var service Image
		known := f.imageKeys(&service)
		known["alias"] = into(&service.Alias, f.text)
		known["command"] = into(&service.Command, f.texts)
		known["variables"] = into(&service.Variables, f.variableList)
		f.object(item, where, known)
		if service.Name == "" {
			f.fail(item, "%s: no name", where)
		}
		services = append(services, service)
	}
	return services
}

// variableList reads KEY: value and KEY: {value: ..., expand: ...}; description
// and options are for people who start pipelines by hand.
func (f *pipelineFile) variableList(n ast.Node, where string) []Variable {
	var vars []Variable
	for _, e := range f.entries(n, where) {
		v := Variable{Key: e.key, Public: true}
		at := where + ": " + e.key
		if _, ok := e.value.(*ast.MappingNode); !ok {
			v.Value = f.textOrNumber(e.value, at)
		} else {
			expand := true
			f.object(e.value, at, keys{
				"value":       into(&v.Value, f.textOrNumber),
				"expand":      into(&expand, f.boolean),
				"description": func(n ast.Node, where string) { f.text(n, where) },
				"options":     func(n ast.Node, where string) { f.texts(n, where) },
			})
			v.Raw = !expand
		}
		vars = append(vars, v)
	}
	return vars
}

func (f *pipelineFile) artifact(n ast.Node, where string) Artifact {
	a := Artifact{Type: archiveType, Format: "zip", When: "on_success"}
	f.object(n, where, keys{
		"paths":     into(&a.Paths, f.texts),
		"exclude":   into(&a.Exclude, f.texts),
		"name":      into(&a.Name, f.text),
		"when":      func(n ast.Node, where string) { a.When = f.oneOf(n, where, "on_success", "on_failure", "always") },
		"expire_in": into(&a.ExpireIn, f.text),
		"untracked": into(&a.Untracked, f.boolean),
	})
	return a
}

// cacheList is one cache or a list of them.
func (f *pipelineFile) cacheList(n ast.Node, where string) []Cache {
	nodes := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		nodes = s.Values
	}
	caches := []Cache{}
	for _, item := range nodes {
		c := Cache{Key: "default", Policy: "pull-push", When: "on_success"}
		f.object(item, where, keys{
			"key":           into(&c.Key, f.textOrNumber),
			"paths":         into(&c.Paths, f.texts),
			"policy":        func(n ast.Node, where string) { c.Policy = f.oneOf(n, where, "pull-push", "pull", "push") },
			"when":          func(n ast.Node, where string) { c.When = f.oneOf(n, where, "on_success", "on_failure", "always") },
			"untracked":     into(&c.Untracked, f.boolean),
			"fallback_keys": into(&c.FallbackKeys, f.texts),
		})
		caches = append(caches, c)
	}
	return caches
}

// allowFailure reads true, false, or the exit codes that are allowed.
func (f *pipelineFile) allowFailure(j *jobEntry, n ast.Node, where string) {
	if _, ok := n.(*ast.MappingNode); !ok {
		j.allowFailure = f.boolean(n, where)
		return
	}
	j.allowFailure = true
	f.object(n, where, keys{"exit_codes": into(&j.allowedCodes, f.exitCodes)})
	if len(j.allowedCodes) == 0 {
		f.fail(n, "%s: no exit_codes", where)
	}
}

// exitCodes is one exit code or a list of them.
func (f *pipelineFile) exitCodes(n ast.Node, where string) []int {
	nodes := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		nodes = s.Values
	}
	var codes []int
	for _, item := range nodes {
		code, err := strconv.Atoi(f.textOrNumber(item, where))
		if err != nil || code < 1 || code > 255 {
			f.fail(item, "%s: want an exit code of a failure, 1 to 255", where)
		}
		codes = append(codes, code)
	}
	return codes
}

func (f *pipelineFile) needList(n ast.Node, where string) []need {
	needs := []need{}
	for _, item := range f.list(n, where) {
		wanted := need{reference: reference{node: item}, artifacts: true}
		if _, ok := item.(*ast.MappingNode); ok {
			f.object(item, where, keys{"job": into(&wanted.job, f.text), "artifacts": into(&wanted.artifacts, f.boolean)})
		} else {
			wanted.job = f.text(item, where)
		}
		needs = append(needs, wanted)
	}
	return needs
}

func (f *pipelineFile) references(n ast.Node, where string) []reference {
	all := []reference{}
	for _, item := range f.list(n, where) {
		all = append(all, reference{job: f.text(item, where), node: item})
	}
	return all
}

var (
	durationPart = regexp.MustCompile(`^(\d+)\s*([a-z]+)\s*(?:,|and\b)?\s*`)

	unitSeconds = map[string]int{
		"s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
		"m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
		"h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
		"d": 86400, "day": 86400, "days": 86400,
		"w": 604800, "week": 604800, "weeks": 604800,
	}
)

// duration reads "1h 30m", "10 minutes" or seconds.
func (f *pipelineFile) duration(n ast.Node, where string) int {
	text := f.textOrNumber(n, where)
	total := 0
	rest := strings.ToLower(strings.TrimSpace(text))
	if seconds, err := strconv.Atoi(rest); err == nil && seconds > 0 {
		return seconds
	}
	for rest != "" {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil || unitSeconds[part[2]] == 0 {
			total = 0
			break
		}
		count, _ := strconv.Atoi(part[1]) // digits only; an overflow is as good as 0
		total += count * unitSeconds[part[2]]
		rest = rest[len(part[0]):]
	}
	if total <= 0 {
		f.fail(n, "%s: want a duration such as \"10 minutes\", got %q", where, text)
	}
	return total
}
