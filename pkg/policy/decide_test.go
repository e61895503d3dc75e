package policy

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policyWith returns a small policy with more lines under [general.podman],
// which begin on line 5.
func policyWith(t testing.TB, more string) *Policy {
	t.Helper()
	return parse(t, "[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r.example.org/runner:1\"\n"+more)
}

// deny decides on a request that must be refused, and returns its two lines.
func deny(t *testing.T, p *Policy, r Request) (message, hint string) {
	t.Helper()
	g, err := p.Decide(r)
	var d *Denial
	if !reflect.DeepEqual(g, Grant{}) || !errors.As(err, &d) {
		t.Fatalf("%+v: want a denial, got %+v, %v", r, g, err)
	}
	return d.Error(), d.Hint()
}

func grant(t *testing.T, p *Policy, r Request) Grant {
	t.Helper()
	g, err := p.Decide(r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return g
}

func TestDecideIsPure(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/data/.*']\nimage_allow_list = ['docker.io/.*']\n[general.podman.volumes]\nallowed_options = [\"z\", \"noexec\"]\n"+serviceTables)
	r := Request{
		Image: "x", Entrypoint: []string{"a", "b"}, PullPolicies: []string{"always"}, Reserved: []string{"/builds"},
		Volumes:  []VolumeRequest{volumeRequest(t, "/data/a:/a:z,noexec,ro"), volumeRequest(t, "/data/b:/b")},
		Services: []ServiceRequest{{Image: "y", DefaultAliases: make([]string, 0, 9), Aliases: []string{"db", "y"}}},
	}
	first := grant(t, p, r)
	for range 10 {
		if diff := cmp.Diff(first, grant(t, p, r), cmp.AllowUnexported(Image{})); diff != "" {
			t.Fatalf("two decisions on one request (-first +second):\n%s", diff)
		}
	}
	if p.File() != "p.toml" || len(r.Volumes[0].Options) != 3 || r.Volumes[0].Options[0] != "z" {
		t.Errorf("deciding changed the request: %+v", r)
	}
}

// Writing to a Grant changes neither the policy, nor the request, nor another Grant.
func TestGrantSharesNothing(t *testing.T) {
	text, _ := write(every)
	p := parse(t, text+serviceTables)
	words := func() []string { return []string{"a", "b"} }
	r := Request{
		Image: "docker:27", Entrypoint: words(), PullPolicies: []string{"always"},
		Volumes:  []VolumeRequest{volumeRequest(t, "/data/x:/mnt/x:z")},
		Services: []ServiceRequest{{Image: "redis", Aliases: words(), Entrypoint: words(), Command: words()}},
	}
	first, second := grant(t, p, r), grant(t, p, r)
	lists := map[uintptr]string{}
	for name, from := range map[string]any{"policy": p.General, "request": r, "other grant": second} {
		eachList(reflect.ValueOf(from), name, func(name string, at uintptr) { lists[at] = name })
	}
	seen := 0
	eachList(reflect.ValueOf(first), "grant", func(name string, at uintptr) {
		seen++
		if other, shared := lists[at]; shared {
			t.Errorf("%s is %s", name, other)
		}
		lists[at] = name
	})
	if seen < 40 {
		t.Errorf("only %d lists were looked at", seen)
	}
}

// eachList calls found for each list in a value that is not empty, with its name and where
// its first entry is.
func eachList(v reflect.Value, name string, found func(name string, at uintptr)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*lazyRegexp]() {
			eachList(v.Elem(), name, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachList(v.Field(i), name+"."+v.Type().Field(i).Name, found)
		}
	case reflect.Slice:
		if v.Len() > 0 {
			found(name, v.Pointer())
		}
		for i := range v.Len() {
			eachList(v.Index(i), fmt.Sprintf("%s[%d]", name, i), found)
		}
	}
}

// A hint never names a key without saying where it stands.
func TestHintForms(t *testing.T) {
	tests := []struct {
		denial Denial
		want   string
	}{
		{Denial{Rule: "p.toml:3: k"}, "p.toml:3: k lists what is allowed; ask the administrator of this runner for more"},
		{Denial{hint: "do this"}, "do this"},
		{Denial{hint: "do this", Rule: "p.toml:3: k"}, "do this (p.toml:3: k)"},
	}
	for _, test := range tests {
		if got := test.denial.Hint(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.denial, got, test.want)
		}
	}
}
