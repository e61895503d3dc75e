package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"podman-executor/pkg/policy"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := policyPage()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPolicyPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page(t), string(text)); diff != "" {
		t.Errorf("docs/policy.md is not what `make docs` makes now (-now +file):\n%s", diff)
	}
}

// Each key has one line, in the order of the types, in the table it belongs to.
func TestEveryKeyIsListed(t *testing.T) {
	var want []string
	var walk func(table string, of reflect.Type)
	walk = func(table string, of reflect.Type) {
		var inner []reflect.StructField
		if table != "" {
			want = append(want, "### `["+table+"]`")
		}
		for _, f := range reflect.VisibleFields(of) {
			switch {
			case f.Tag.Get("toml") == "":
			case hasKeys(f.Type):
				inner = append(inner, f)
			default:
				want = append(want, "| `"+f.Tag.Get("toml")+"` |")
			}
		}
		for _, f := range inner {
			walk(strings.TrimPrefix(table+"."+f.Tag.Get("toml"), "."), f.Type)
		}
	}
	walk("", reflect.TypeFor[policy.Policy]())
	_, keys, _ := strings.Cut(page(t), "\n## Keys\n")
	keys, _, _ = strings.Cut(keys, "\n## ")
	got := regexp.MustCompile("(?m)^(###.*|\\| `[a-z0-9_]+` \\|)").FindAllString(keys, -1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-types +page):\n%s", diff)
	}
	for line := range strings.Lines(keys) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|")-strings.Count(line, `\|`) != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
}

// A meaning does not repeat its key, and is short: the rest is below the table.
func TestMeanings(t *testing.T) {
	text := page(t)
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) < 80 {
		t.Fatalf("%d keys; where are the others?", len(rows))
	}
	for _, row := range rows {
		meaning, more := strings.CutSuffix(row[2], " See below.")
		if strings.HasPrefix(meaning, "`"+row[1]+"`") || strings.ToUpper(meaning[:1]) != meaning[:1] || utf8.RuneCountInString(meaning) > longestMeaning {
			t.Errorf("%s: %s", row[1], meaning)
		}
		if more != strings.Contains(text, "\n**`"+row[1]+"`**: ") && row[1] != "volumes" {
			t.Errorf("%s: what is below the table? %s", row[1], meaning)
		}
	}
}

func TestExplain(t *testing.T) {
	long := strings.Repeat("x", longestMeaning)
	for _, test := range []struct {
		comment, meaning string
		details          []string
		wrong            string
	}{
		{"Key is the\nname.\n", "The name.", nil, ""},
		{"Key are names.", "Names.", nil, ""},
		{"Key keeps what is there.", "Keeps what is there.", nil, ""},
		{"Key is short.\n\nIt has\nmore.\n\nAnd more.\n", "Short.", []string{"It has more.", "And more."}, ""},
		{"Key " + long, "X" + long[1:], nil, ""},
		{"Key is " + long + ".", "", nil, "has 201 characters"},
		{"Keys are names.", "", nil, "does not begin with its name"},
		{"", "", nil, "does not begin with its name"},
	} {
		meaning, details, err := explain("Key", test.comment)
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%q: %v, want %q", test.comment, err, test.wrong)
			}
			continue
		}
		if err != nil || meaning != test.meaning || !slices.Equal(details, test.details) {
			t.Errorf("%q: %q, %q, %v", test.comment, meaning, details, err)
		}
	}
}

// hasKeys reports whether a type stands for a table. Other types hold a value.
func hasKeys(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		return f.Tag.Get("toml") != ""
	})
}

// Errors, image names and volumes on the page are as the program prints them.
func TestTheExampleOfErrors(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```.*?```\n(.*?)```").FindStringSubmatch(page(t))
	if blocks == nil {
		t.Fatal("the page has no example of errors")
	}
	_, err := policy.Parse("/etc/podman-executor/policy.toml", strings.NewReader(blocks[1]))
	if err == nil {
		t.Fatal("the example has no errors")
	}
	if diff := cmp.Diff(err.Error()+"\n", blocks[2]); diff != "" {
		t.Errorf("(-program +page):\n%s", diff)
	}
}

func TestTheExampleOfServices(t *testing.T) {
	_, section, _ := strings.Cut(page(t), "\n## Services\n")
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(section)
	if block == nil {
		t.Fatal("the page has no example of services")
	}
	p, err := policy.Parse("policy.toml", strings.NewReader("[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n"+block[1]))
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Decide(policy.Request{Image: "x", Services: []policy.ServiceRequest{{Image: "localhost/x", Aliases: []string{"Cache"}}}})
	if err != nil || len(g.Services) != 1 || strings.Join(g.Services[0].Aliases, " ") != "cache" || len(g.Notices) != 2 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestTheExampleOfLimits(t *testing.T) {
	_, section, _ := strings.Cut(page(t), "\n## Limits and devices\n")
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(section)
	if block == nil {
		t.Fatal("the page has no example of limits")
	}
	p, err := policy.Parse("policy.toml", strings.NewReader("[general]\nrun_mechanism = \"podman\"\n[general.podman]\nrunner_image = \"r\"\n"+block[1]))
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Decide(policy.Request{Image: "x", Limits: policy.LimitRequest{Memory: "8g"}})
	if err != nil || g.Container.Memory != 8<<30 || g.RunnerContainer.Memory != 4<<30 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestTheImageNames(t *testing.T) {
	_, section, _ := strings.Cut(page(t), "\n## Image names\n")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|$").FindAllStringSubmatch(section, -1)
	if len(rows) < 5 {
		t.Fatalf("the page has %d image names", len(rows))
	}
	for _, row := range rows {
		if image, err := policy.ParseImage(row[1]); err != nil || image.String() != row[2] {
			t.Errorf("%q is %q, %v, and the page says %q", row[1], image, err, row[2])
		}
	}
}

func TestRun(t *testing.T) {
	for _, args := range [][]string{nil, {"policy"}, {"other", "x"}, {"policy", "x", "y"}} {
		if err := run(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	name := filepath.Join(t.TempDir(), "policy.md")
	if err := run([]string{"policy", name}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != page(t) {
		t.Errorf("the file is not the page: %v", err)
	}
}
