package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// firstCommit is the date of each repository's first commit, one minute before
// the second: the same files give the same commit ids.
const firstCommit = 1700000000

// Commit is one commit to be made.
type Commit struct {
	Branch  string // empty means main; a new one grows out of main, if there is a main
	Tag     string // lightweight tag to set, or empty
	Message string // empty means "commit N"
	// Files to write; nil content removes the file. Content that begins with
	// "#!" is executable.
	Files      map[string][]byte
	Submodules []Submodule
}

// Submodule is another repository at Path. URL may be relative to the URL of the
// repository itself, e.g. ../sub.git.
type Submodule struct {
	Path, URL, SHA string
}

// Repository is a bare repository that the server offers to jobs.
type Repository struct {
	Path string // below the server's root, without ".git"

	server *Server
	dir    string

	mu      sync.Mutex
	commits int
	heads   map[string]string // branch or tag to commit
	tags    map[string]bool
}

// AddRepository makes a bare repository that jobs find at URL()/path.git and
// commits to it. A path may be used once.
func (s *Server) AddRepository(ctx context.Context, repo string, commits ...Commit) (*Repository, error) {
	r := &Repository{Path: repo, server: s, heads: make(map[string]string), tags: make(map[string]bool)}
	if err := r.create(ctx, commits); err != nil {
		return nil, fmt.Errorf("adding repository %s: %w", repo, err)
	}
	return r, nil
}

func (r *Repository) create(ctx context.Context, commits []Commit) error {
	if !filepath.IsLocal(r.Path) || path.Dir(r.Path) == "." {
		return fmt.Errorf("want a path such as group/project")
	}
	repos, err := r.server.prepareGit(ctx)
	if err != nil {
		return err
	}
	r.dir = filepath.Join(repos.root, r.Path+".git")
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return err
	}
	if _, err := git(ctx, r.dir, nil, "init", "--quiet", "--bare", "--initial-branch=main"); err != nil {
		return err
	}
	// As GitLab: fetches may name any commit.
	if _, err := git(ctx, r.dir, nil, "config", "uploadpack.allowAnySHA1InWant", "true"); err != nil {
		return err
	}
	for _, c := range commits {
		if _, err := r.Commit(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Commit makes one more commit and returns its id.
func (r *Repository) Commit(ctx context.Context, c Commit) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Branch = orDefault(c.Branch, "main")
	stream, err := r.importStream(c)
	if err != nil {
		return "", err
	}
	out, err := git(ctx, r.dir, stream, "fast-import", "--quiet")
	if err != nil {
		return "", err
	}
	sha := strings.TrimSpace(out)
	r.commits++
	r.heads[c.Branch] = sha
	if c.Tag != "" {
		r.heads[c.Tag] = sha
		r.tags[c.Tag] = true
	}
	return sha, nil
}

// importStream is the commit in the language of git fast-import: no work tree,
// one process, and it prints the new id.
func (r *Repository) importStream(c Commit) ([]byte, error) {
	var b bytes.Buffer
	message := orDefault(c.Message, fmt.Sprintf("commit %d", r.commits+1))
	fmt.Fprintf(&b, "commit refs/heads/%s\nmark :1\ncommitter Tester <tester@example.org> %d +0000\n", c.Branch, firstCommit+60*r.commits)
	fmt.Fprintf(&b, "data %d\n%s\n", len(message), message)
	if parent := orDefault(r.heads[c.Branch], r.heads["main"]); parent != "" {
		fmt.Fprintf(&b, "from %s\n", parent)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		if !filepath.IsLocal(name) || strings.ContainsAny(name, "\"\n") {
			return nil, fmt.Errorf("committing %q: not a plain relative path", name)
		}
		switch content := c.Files[name]; {
		case content == nil:
			fmt.Fprintf(&b, "D %s\n", name)
		case bytes.HasPrefix(content, []byte("#!")):
			fmt.Fprintf(&b, "M 100755 inline %s\ndata %d\n%s\n", name, len(content), content)
		default:
			fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
		}
	}
	var modules bytes.Buffer
	for _, m := range c.Submodules {
		fmt.Fprintf(&b, "M 160000 %s %s\n", m.SHA, m.Path)
		fmt.Fprintf(&modules, "[submodule %q]\n\tpath = %s\n\turl = %s\n", m.Path, m.Path, m.URL)
	}
	if modules.Len() > 0 {
		fmt.Fprintf(&b, "M 100644 inline .gitmodules\ndata %d\n%s\n", modules.Len(), modules.Bytes())
	}
	if c.Tag != "" {
		fmt.Fprintf(&b, "reset refs/tags/%s\nfrom :1\n", c.Tag)
	}
	b.WriteString("get-mark :1\n")
	return b.Bytes(), nil
}

// URL is the repository's address without credentials.
func (r *Repository) URL() string { return r.server.base.JoinPath(r.Path + ".git").String() }

// SHA is the commit of a branch or tag, empty if there is none.
func (r *Repository) SHA(ref string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heads[ref]
}

// Checkout makes a job of this repository's project that works on ref, a branch
// or a tag, with GitLab's default depth of 20. Fields of job.Git may be changed
// afterwards.
func (r *Repository) Checkout(job *Job, ref string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, refspec := "branch", fmt.Sprintf("+refs/heads/%s:refs/remotes/origin/%s", ref, ref)
	if r.tags[ref] {
		kind, refspec = "tag", fmt.Sprintf("+refs/tags/%s:refs/tags/%s", ref, ref)
	}
	job.Info.ProjectFullPath, job.Info.ProjectName = r.Path, path.Base(r.Path)
	job.Git.RepoURL, job.Git.Ref, job.Git.SHA = r.URL(), ref, r.heads[ref]
	job.Git.RefType, job.Git.Refspecs, job.Git.Depth = kind, []string{refspec}, 20
}
