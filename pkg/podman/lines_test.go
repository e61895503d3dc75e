package podman

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// huge is a label of an image, which may have four times as much.
var huge = strings.Repeat("<", 1<<20)

// What podman 4.3.1 and 5.4.2 print for the templates, of containers of an image with
// LABEL io.podman-executor.owner="x/\"<&>\n\u2028/1/1", and with no such label.
const (
	recordedPs = `{"ID": "d3743ffb3a7df6db908c60894c86cc86e53c72f3b77d0609e0c3f527628a87dc", "Names": ["c1"], "Created": 1796009711, "Labels": ["x/\"<&>\\n\\u2028/1/1", ""]}
{"ID": "3d0766537d5e4a829f28a0838d339b02f746d837d931dddc3c861dee1d76316f", "Names": ["c2"], "Created": 1796009751, "Labels": ["", ""]}
`
	recordedImages = `{"ID": "cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66", "Repository": "127.0.0.1:5977/empty", "Tag": "1", "Digest": "sha256:da91ea872302abfb293d0ba399c054da956b8ed64652a06c0bdfa3d326392f4f", "Size": 635, "Containers": 0, "ReadOnly": false}
{"ID": "cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66", "Repository": "localhost/foo", "Tag": "1", "Digest": "sha256:da91ea872302abfb293d0ba399c054da956b8ed64652a06c0bdfa3d326392f4f", "Size": 635, "Containers": 0, "ReadOnly": false}
{"ID": "e9a7d6bb611e39be40cb9549add731179fbab86045dac87f4a2a0209e7045c33", "Repository": "<none>", "Tag": "<none>", "Digest": "sha256:1e9706d6e5383de6bf31ad415beab03d9b15cf18578347632425b9200d8ef224", "Size": 1986554, "Containers": 2, "ReadOnly": true}
`
	recordedInspect = `{"ID": "eada70fbc14185b626830a70ac87034d3958f4ba40dbf5a0bd374c4df29fb6d0", "Digest": "sha256:38e6739f8a110c9df17945512b983bcb4f70ff2e2db4e3b7f2dbe138a0a6bbdb", "Size": 7987679, "OS": "linux", "Arch": "amd64", "Path": ["PATH=/a", "PATH=/b:/c", ""], "User": "", "Entrypoint": null, "ExposedPorts": {"80/tcp":{}}, "HealthCheck": ["CMD","true"], "RepoDigests": ["r/x@sha256:1", ""]}
`
)

func TestRecordedAnswers(t *testing.T) {
	p, _ := answers(t, map[string]string{"ps": recordedPs, "image-ls": recordedImages, "image-inspect": recordedInspect})
	containers, err := p.Containers(t.Context(), "k", "io.podman-executor.owner", "none")
	if err != nil || len(containers) != 2 || containers[0].Labels["io.podman-executor.owner"] != `x/"<&>\n\u2028/1/1` || len(containers[0].Labels) != 1 || len(containers[1].Labels) != 0 || containers[1].Created != 1796009751 {
		t.Errorf("the containers: %+v, %v", containers, err)
	}
	images, err := p.Images(t.Context())
	want := []StoredImage{
		{ID: "cc694233e203f24125b03989ca7cf84a6eac9fb05103e260e46bb039e0446d66", Names: []string{"127.0.0.1:5977/empty:1", "localhost/foo:1"}, Size: 635},
		{ID: "e9a7d6bb611e39be40cb9549add731179fbab86045dac87f4a2a0209e7045c33", Size: 1986554, Containers: 2, ReadOnly: true},
	}
	if diff := cmp.Diff(want, images); err != nil || diff != "" {
		t.Errorf("the images: %v (-want +got):\n%s", err, diff)
	}
	image, err := p.Local(t.Context(), "x", Platform{})
	if err != nil || image.Config.Path != "/b:/c" || len(image.Config.ExposedPorts) != 1 || strings.Join(image.HealthCheck.Test, " ") != "CMD true" || image.Arch != "amd64" || strings.Join(image.RepoDigests, " ") != "r/x@sha256:1" {
		t.Errorf("the image: %+v, %v", image, err)
	}
}

// Other people's objects have labels of the largest size, in everything that podman lists. Each
// list is still read, their labels are ignored, and the rest is complete.
func TestHugeLabels(t *testing.T) {
	const each = 3 // of which `--format json` makes 36 MB
	list := func(object map[string]any, labels string) string {
		object[labels] = map[string]string{"x": huge, "owner": huge, "role": "user"}
		var all []string
		one, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		for range each {
			all = append(all, string(one))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for _, test := range []struct {
		file, objects string
		call          func(*Podman) (labels []map[string]string, err error)
	}{
		{"ps", list(map[string]any{"Id": "i", "Names": []string{"n"}, "Mounts": []string{huge}}, "Labels"), func(p *Podman) (l []map[string]string, err error) {
			all, err := p.Containers(t.Context(), "k", "owner", "role")
			for _, c := range all {
				l = append(l, c.Labels)
			}
			return l, err
		}},
		{"network-ls", list(map[string]any{"name": "n"}, "labels"), func(p *Podman) (l []map[string]string, err error) {
			all, err := p.Networks(t.Context(), "k", "owner", "role")
			for _, c := range all {
				l = append(l, c.Labels)
			}
			return l, err
		}},
		{"volume-ls", list(map[string]any{"Name": "n"}, "Labels"), func(p *Podman) (l []map[string]string, err error) {
			all, err := p.Volumes(t.Context(), "k", "owner", "role")
			for _, c := range all {
				l = append(l, c.Labels)
			}
			return l, err
		}},
	} {
		t.Run(test.file, func(t *testing.T) {
			p, _ := answers(t, map[string]string{test.file: test.objects})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			labels, err := test.call(p)
			runtime.ReadMemStats(&after)
			if err != nil || len(labels) != each {
				t.Fatalf("%d objects, %v", len(labels), err)
			}
			if diff := cmp.Diff(map[string]string{"role": "user"}, labels[0]); diff != "" {
				t.Errorf("the labels (-want +got):\n%s", diff)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > maxOutput {
				t.Errorf("it took %d MiB of memory", took>>20)
			}
		})
	}
}

// An image may have as many names as somebody gives it: each is a line, not all in each.
func TestManyNames(t *testing.T) {
	const many = 2000
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf(`"registry.example.com/some/long/repository/name:%d"`, i))
	}
	objects := `[{"Id": "i", "Names": [` + strings.Join(names, ",") + `]}, {"Id": "j", "Names": ["r/y@sha256:1"], "Digest": "sha256:2"}]`
	p, _ := answers(t, map[string]string{"image-ls": objects})
	list, err := p.Images(t.Context())
	if err != nil || len(list) != 2 || len(list[0].Names) != many || strings.Join(list[1].Names, " ") != "r/y@sha256:2" {
		t.Errorf("%d images, %v", len(list), err)
	}
}

// A line that is too long, or not valid, is skipped and reported to the administrator's log. It
// is an error if no line is valid.
func TestPassedOver(t *testing.T) {
	p, _ := answers(t, map[string]string{"ps": `{"ID": "` + huge + `"}` + "\nnone\n\n" + recordedPs})
	var noted []string
	p.Observe = func(c Command) {
		if c.Err != nil {
			noted = append(noted, c.Err.Error())
		}
	}
	if list, err := p.Containers(t.Context(), "k"); err != nil || len(list) != 2 {
		t.Errorf("%d containers, %v", len(list), err)
	}
	if len(noted) != 1 || !strings.Contains(noted[0], "podman ps: reading its output: ") || !strings.HasSuffix(noted[0], "; 2 lines were skipped") {
		t.Errorf("the log has %q", noted)
	}
	p, _ = answers(t, map[string]string{"ps": `{"ID": "` + huge})
	if _, err := p.Containers(t.Context(), "k"); !errors.Is(err, errLongLine) {
		t.Errorf("nothing but a long line: %v", err)
	}
}

// An image with too large a configuration is refused. The other images of the same request are
// then queried one by one.
func TestTooLargeImage(t *testing.T) {
	ports := map[string]struct{}{}
	for i := range 65535 {
		ports[fmt.Sprintf("%d/tcp", i)] = struct{}{}
	}
	for name, image := range map[string]any{
		"entry point":   map[string]any{"Id": "i", "Config": map[string]any{"Entrypoint": []string{huge}}},
		"exposed ports": map[string]any{"Id": "i", "Config": map[string]any{"ExposedPorts": ports}},
		"user":          map[string]any{"Id": "i", "Config": map[string]any{"User": huge}},
		"PATH":          map[string]any{"Id": "i", "Config": map[string]any{"Env": []string{"PATH=" + huge}}},
		"health check":  map[string]any{"Id": "i", "HealthCheck": map[string]any{"Test": []string{"CMD", huge}}},
	} {
		objects, err := json.Marshal([]any{map[string]any{"Id": "ok"}, image})
		if err != nil {
			t.Fatal(err)
		}
		p, _ := answers(t, map[string]string{"image-inspect": string(objects)})
		if _, err := p.LocalImages(t.Context(), "a", "b"); !errors.Is(err, ErrImageTooLarge) || !ImageUnreadable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What nobody needs may be as large as it is.
	objects, err := json.Marshal([]any{map[string]any{
		"Id": "i", "Labels": map[string]string{"x": huge}, "Annotations": map[string]string{"x": huge}, "History": []string{huge}, "RepoDigests": strings.Split(strings.Repeat("r/x@sha256:1 ", 100000), " "),
		"Config": map[string]any{"Env": []string{"X=" + huge, "PATH=/bin"}, "Labels": map[string]string{"x": huge}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := answers(t, map[string]string{"image-inspect": string(objects)})
	if image, err := p.Local(t.Context(), "i", Platform{}); err != nil || image.Config.Path != "/bin" || len(image.RepoDigests) > 0 {
		t.Errorf("an image with large labels: %v", err)
	}
}

// No name, and no label, is more than a word of the template.
func TestTemplatesQuote(t *testing.T) {
	for _, name := range []string{"a`}}{{.}}@1", "a\n@1", `a"\@1`} {
		format := inspectFormat([]string{name})
		if strings.Contains(format, "RepoDigests}}") && strings.ContainsAny(name, "`\n") {
			t.Errorf("%q is in %s", name, format)
		}
	}
	if got, want := labelsOf(".Labels", []string{`a"b`}), "[{{json (printf `%.4096s` (index .Labels \"a\\\"b\"))}}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzLines: whatever a podman prints, each line comes once, and none that is too long.
func FuzzLines(f *testing.F) {
	f.Add([]byte(recordedPs), 7)
	f.Add([]byte("\n\n{\"ID\": \"<\"}\r\nx"), 1)
	f.Add(bytes.Repeat([]byte("<"), 300), 100)
	f.Fuzz(func(t *testing.T, text []byte, chunk int) {
		const most = 64
		var got []string
		l := &lines{max: most, each: func(line []byte, err error) {
			if err != nil {
				line = []byte("too long")
			}
			got = append(got, string(line))
		}}
		for rest := text; len(rest) > 0; {
			n := min(max(chunk, 1), len(rest))
			if wrote, err := l.Write(rest[:n]); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		l.end()
		var want []string
		for _, line := range strings.Split(string(text), "\n") {
			switch {
			case len(line) > most:
				want = append(want, "too long")
			case strings.TrimSpace(line) != "":
				want = append(want, line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the lines (-want +got):\n%s", diff)
		}
	})
}

// FuzzInspected: no line of `image inspect` makes an image that is longer than the line may be.
func FuzzInspected(f *testing.F) {
	f.Add([]byte(recordedInspect))
	f.Add([]byte(`{"Path": ["PATH=", "X"], "ExposedPorts": null, "RepoDigests": [""]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var one inspected
		if json.Unmarshal(line, &one) != nil {
			return
		}
		image := one.image()
		if len(image.Config.Path)+len(image.Config.User)+len(image.Digest) > 3*len(line) {
			t.Errorf("%q", line)
		}
		for _, digest := range image.RepoDigests {
			if digest == "" {
				t.Error("a digest is empty")
			}
		}
	})
}

// FuzzImagesNamed: what podman says names IDs only.
func FuzzImagesNamed(f *testing.F) {
	f.Add(`retrieving label for image "3b76f5f2d7226542ea20dea7e7ad47c06d9fcf29f35c69bb5902f4be2566ebb5": json: cannot`)
	f.Fuzz(func(t *testing.T, said string) {
		for _, id := range ImagesNamed(&ExitError{Code: 125, Stderr: said}) {
			if !isID.MatchString(id) {
				t.Errorf("%q", id)
			}
		}
	})
}

// FuzzRows: no line of a list yields a label that is empty, too long or was not requested, or
// an invalid name.
func FuzzRows(f *testing.F) {
	for line := range strings.Lines(recordedPs + recordedImages) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var row struct{ Labels []string }
		if json.Unmarshal(line, &row) == nil {
			for key, value := range labelValues([]string{"a", "b"}, row.Labels) {
				if key != "a" && key != "b" || value == "" || len(value) > 4*maxField {
					t.Errorf("%q=%q", key, value)
				}
			}
		}
		var image imageLine
		if json.Unmarshal(line, &image) == nil {
			if name := image.name(); name != "" && !strings.HasPrefix(name, image.Repository) || strings.HasPrefix(name, none) && image.Repository == none {
				t.Errorf("%q", name)
			}
		}
	})
}
