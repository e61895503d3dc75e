//go:build image

package bundle

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/harness/gitlab"
)

const (
	// page is the page that the tests hold to its word; test/scripts/staged puts it here.
	page = "image.md"

	// What the page has in the place of what differs from machine to machine.
	pageImage  = "registry.example.com/ci/podman-executor:latest"
	pageGitLab = "https://gitlab.example.com"
	pageToken  = "glrt-REPLACE-ME"
)

// block is a code block of the page.
type block struct {
	line     int // of its first line of text
	language string
	text     []string
}

// command is one command of a console block, and what the page says that it prints.
type command struct {
	line   int
	text   string
	output []string
}

// The page's commands, typed one after the other on a machine that has none of it,
// print what the page shows, and its pipelines are green.
func TestPage(t *testing.T) {
	m := newMachine(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range blocks(string(text)) {
		switch b.language {
		case "console":
			for _, c := range b.commands() {
				m.follow(c)
				ran++
			}
		case "yaml":
			m.pipeline(b)
			ran++
		}
	}
	if ran == 0 {
		t.Error("the page has nothing to run")
	}
}

// blocks returns the page's code blocks in their order.
func blocks(text string) []block {
	var all []block
	var open *block
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: number + 1, language: language}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text = append(open.text, line)
		}
	}
	return all
}

// commands takes a console block apart: `$ ` begins a command, `> ` goes on with it,
// and all else is what it prints.
func (b block) commands() []command {
	var all []command
	for i, line := range b.text {
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, command{line: b.line + i, text: text})
			continue
		}
		last := &all[len(all)-1]
		if text, ok := strings.CutPrefix(line, "> "); ok && last.output == nil {
			last.text += "\n" + text
		} else {
			last.output = append(last.output, line)
		}
	}
	return all
}

// follow types a command of the page and compares what it prints. Logs may be a
// moment late.
func (m *machine) follow(c command) {
	m.Helper()
	typed := strings.NewReplacer(pageImage, m.image, pageGitLab, m.gitlab.URL(), pageToken, token).Replace(c.text)
	want := pattern(c.output)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := m.try(typed)
		got := strings.NewReplacer(m.image, pageImage, m.gitlab.URL(), pageGitLab, token, pageToken).Replace(out)
		got = notOfThePage.ReplaceAllString(got, "")
		switch {
		case err == nil && want.MatchString(got):
			return
		case strings.HasPrefix(c.text, "podman logs ") && time.Now().Before(end):
			continue
		case err != nil:
			m.Fatalf("%s:%d: %s: %v\n%s", page, c.line, c.text, err, got)
		default:
			m.Fatalf("%s:%d: %s\nprints\n%s\nand the page says\n%s", page, c.line, c.text, got, strings.Join(c.output, "\n"))
		}
	}
}

// notOfThePage are the ends of lines and the colours of a terminal, and what podman
// says where no systemd of the user's would run its health checks.
var notOfThePage = regexp.MustCompile(`\r|\x1b\[[0-9;]*m|(?m:^.*unable to get systemd connection.*\n)`)

// pattern matches lines as the page shows them: … is anything in a line, and a line
// of it alone any lines; an id of podman's is any of its length.
func pattern(lines []string) *regexp.Regexp {
	var expression strings.Builder
	expression.WriteString(`\A`)
	for _, line := range lines {
		if line == "…" {
			expression.WriteString(`(?:.*\n)*?`)
			continue
		}
		line = strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")
		expression.WriteString(id.ReplaceAllStringFunc(line, func(id string) string { return fmt.Sprintf("[0-9a-f]{%d}", len(id)) }) + `[ \t]*\n`)
	}
	expression.WriteString(`\z`)
	return regexp.MustCompile(expression.String())
}

// id is that of a secret or a container.
var id = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{25})\b`)

// pipeline runs a .gitlab-ci.yml of the page, whose files lie in a repository.
func (m *machine) pipeline(b block) {
	m.Helper()
	p, err := gitlab.ParsePipeline(page, []byte(strings.Join(b.text, "\n")+"\n"))
	if err != nil {
		m.Fatalf("%s:%d: %v", page, b.line, err)
	}
	repo, err := m.gitlab.AddRepository(m.Context(), fmt.Sprintf("group/page-%d", b.line), gitlab.Commit{Files: map[string][]byte{
		"Containerfile": []byte("FROM scratch\nCOPY Containerfile /\n"),
	}})
	if err != nil {
		m.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(m.Context(), jobTime)
	defer cancel()
	results, err := p.Run(ctx, m.gitlab, gitlab.PipelineOptions{Repository: repo})
	for _, result := range results {
		if result.State != gitlab.StateSuccess {
			m.Errorf("%s:%d: job %q is %s", page, b.line, result.Job, result.State)
			if result.Run != nil {
				m.Log(result.Run.Log())
			}
		}
	}
	if err != nil || m.Failed() {
		m.Fatalf("%s:%d: %v", page, b.line, err)
	}
}

// The page's tables have every label and every build argument, and no other.
func TestPageTables(t *testing.T) {
	m := newMachine(t)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	labels := strings.Fields(m.do(`podman image inspect --format '{{range $name, $text := .Labels}}{{$name}} {{end}}' $IMAGE`))
	// What no dot is in is a command; the others are buildah's, the tests', and OCI's.
	labels = slices.DeleteFunc(labels, func(name string) bool { return strings.Contains(name, ".") })
	for _, table := range []struct {
		head string
		want []string
	}{
		{"label", labels},
		{"build argument", buildArguments(t)},
	} {
		got := firstColumn(string(text), table.head)
		slices.Sort(got)
		slices.Sort(table.want)
		if diff := cmp.Diff(slices.Compact(table.want), got); diff != "" {
			t.Errorf("the table with the column %q (-image +page):\n%s", table.head, diff)
		}
	}
}

// firstColumn returns the words in backquotes of a table's first column, by the
// head of that column.
func firstColumn(text, head string) []string {
	var words []string
	inside := false
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 3:
			inside = false
		case strings.TrimSpace(cells[1]) == head:
			inside = true
		case inside:
			for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				words = append(words, word[1])
			}
		}
	}
	return words
}

// buildArguments returns the names of the Containerfile's ARG lines, but for those that hold options of podman for several labels:
// no build sets them.
func buildArguments(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("image", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "ARG "); ok {
			name, value, _ := strings.Cut(name, "=")
			if !strings.HasPrefix(value, `"--`) {
				names = append(names, name)
			}
		}
	}
	return names
}
