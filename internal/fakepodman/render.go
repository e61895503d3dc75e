// Package fakepodman prints objects as podman does, for the fake podmans of tests, with the Go
// template of a command's --format. What the templates see are podman's own types, as far as
// the driver asks for them (podman 4.3.1 and 5.4.2: cmd/podman/containers/ps.go,
// images/list.go, networks/list.go, volumes/list.go, inspect/inspect.go); any other field is an
// error, as there.
package fakepodman

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"text/template"
	"time"
)

// labels is in a container, a network or a volume.
type labels = map[string]string

type container struct{ ListContainer listContainer }

type listContainer struct {
	ID      string `json:"Id"`
	Names   []string
	Mounts  []string
	Labels  labels
	State   string
	Created time.Time `json:"-"`
}

type image struct {
	Repository, Tag string
	ImageSummary    imageSummary
}

type imageSummary struct {
	ID         string `json:"Id"`
	Digest     string
	Names      []string
	Size       int64
	Containers int
	ReadOnly   bool
	Labels     labels
}

type network struct{ Network networkConfig }

type networkConfig struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Labels  labels    `json:"labels"`
}

type volume struct {
	Name, Mountpoint string
	Labels           labels
}

type imageData struct {
	ID           string `json:"Id"`
	Digest       string
	Size         int64
	Os           string
	Architecture string
	RepoDigests  []string
	Config       imageConfig
	HealthCheck  *struct{ Test []string }
	Labels       labels
	Annotations  labels
	History      []any
}

type imageConfig struct {
	Env, Entrypoint []string
	User            string
	WorkingDir      string
	ExposedPorts    map[string]struct{}
	Labels          labels
}

// laterImageData is for a podman that reports the variant.
type laterImageData struct {
	imageData
	Variant string
}

type containerData struct {
	ID     string
	State  containerState
	Config struct{ Labels labels }
}

type containerState struct {
	Status    string
	ExitCode  int
	OOMKilled bool
	StartedAt time.Time
	Pid       int
}

// Render returns what podman prints for a command line, where it has the objects of that JSON
// list: of `podman ps` and other lists by `--format json`, of `image inspect` without a format;
// of `container inspect` the State. Anything that is not a list of objects, or is requested
// without a template, is returned unchanged. The error is podman's text after "Error: ".
func Render(args []string, objects string) (string, error) {
	format, ok := formatOf(args)
	if !ok {
		return objects, nil
	}
	rows, ok := rowsOf(args, objects)
	if !ok {
		return objects, nil
	}
	format = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(format) + "\n"
	t, err := template.New(args[0]).Funcs(template.FuncMap{"json": toJSON}).Parse(format)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, row := range rows {
		if err := t.Execute(&out, row); err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

// formatOf returns the template of --format; `json` is none.
func formatOf(args []string) (string, bool) {
	i := slices.Index(args, "--format")
	if i < 0 || i+1 >= len(args) || args[i+1] == "json" {
		return "", false
	}
	return args[i+1], true
}

// toJSON is podman's (containers/common pkg/report/template.go): it leaves `<` as it is.
func toJSON(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSpace(text.String()), err
}

// rowsOf reads objects as the type that the command lists.
func rowsOf(args []string, objects string) (rows []any, ok bool) {
	words := slices.Clone(args)
	if len(words) > 2 && words[0] == "--url" {
		words = words[2:]
	}
	switch strings.Join(words[:min(len(words), 2)], " ") {
	case "ps --all":
		return read(objects, func(c struct {
			listContainer
			Created int64
		},
		) []any {
			c.listContainer.Created = time.Unix(c.Created, 0)
			return []any{container{c.listContainer}}
		})
	case "image ls":
		seen, id := map[string]bool{}, filtered(words, "id=")
		return read(objects, func(i imageSummary) []any {
			if seen[i.ID] || id != "" && i.ID != id {
				return nil
			}
			seen[i.ID] = true
			return lines(i)
		})
	case "network ls":
		return read(objects, func(n networkConfig) []any { return []any{network{n}} })
	case "volume ls":
		return read(objects, func(v volume) []any { return []any{v} })
	case "image inspect":
		if strings.Contains(objects, `"Variant"`) {
			return read(objects, func(i laterImageData) []any { return []any{i} })
		}
		return read(objects, func(i imageData) []any { return []any{i} })
	case "container inspect":
		return read("["+objects+"]", func(c struct {
			containerState
			ID     string `json:"Id"`
			Labels labels
		},
		) []any {
			data := containerData{ID: c.ID, State: c.containerState}
			data.Config.Labels = c.Labels
			return []any{data}
		})
	}
	return nil, false
}

// filtered returns the value of a --filter.
func filtered(args []string, key string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, key); ok && i > 0 && args[i-1] == "--filter" {
			return value
		}
	}
	return ""
}

// lines are podman's for an image: one for each of its names.
func lines(i imageSummary) []any {
	const none = "<none>"
	if len(i.Names) == 0 {
		return []any{image{none, none, i}}
	}
	var all []any
	for _, name := range i.Names {
		repository, tag := name, none
		if at, _, ok := strings.Cut(name, "@"); ok {
			repository = at
		} else if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
			repository, tag = name[:colon], name[colon+1:]
		}
		all = append(all, image{repository, tag, i})
	}
	return all
}

func read[T any](objects string, rows func(T) []any) (all []any, ok bool) {
	var list []T
	if err := json.Unmarshal([]byte(objects), &list); err != nil {
		return nil, false // not a list: garbage, on purpose
	}
	for _, one := range list {
		all = append(all, rows(one)...)
	}
	return all, true
}
