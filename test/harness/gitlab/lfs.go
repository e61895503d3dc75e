package gitlab

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// lfsPath is where a repository's large files are, below its URL, as git-lfs
// expects it where nothing else is configured.
const lfsPath = ".git/info/lfs/objects/"

const lfsType = "application/vnd.git-lfs+json"

var lfsID = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// lfsObject is an object of the Git LFS batch API.
type lfsObject struct {
	ID      string               `json:"oid"`
	Size    int64                `json:"size"`
	Actions map[string]lfsAction `json:"actions,omitempty"`
	Error   *lfsError            `json:"error,omitempty"`
}

type lfsAction struct {
	Href string `json:"href"`
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// AddLFS keeps content as a large file of the repository and returns the pointer
// that stands for it in a commit; .gitattributes must name the file.
func (r *Repository) AddLFS(content []byte) ([]byte, error) {
	id := fmt.Sprintf("%x", sha256.Sum256(content))
	dir := filepath.Join(r.dir, "lfs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("adding a large file to %s: %w", r.Path, err)
	}
	if err := os.WriteFile(filepath.Join(dir, id), content, 0o600); err != nil {
		return nil, fmt.Errorf("adding a large file to %s: %w", r.Path, err)
	}
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", id, len(content)), nil
}

// serveLFS is Git LFS, read only: the batch API tells where objects are, which is
// here. The caller has checked the token.
func (s *Server) serveLFS(w http.ResponseWriter, r *http.Request, root string) {
	repo, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), lfsPath)
	dir := filepath.Join(root, filepath.FromSlash(repo)+".git", "lfs")
	switch {
	case !filepath.IsLocal(repo):
		s.refuse(w, r, http.StatusNotFound, "no such repository")
	case r.Method == http.MethodPost && name == "batch":
		s.lfsBatch(w, r, dir, s.base.JoinPath(repo+lfsPath).String())
	case r.Method == http.MethodGet && lfsID.MatchString(name):
		http.ServeFile(w, r, filepath.Join(dir, name))
	default:
		s.refuse(w, r, http.StatusNotFound, "no such part of the LFS API")
	}
}

func (s *Server) lfsBatch(w http.ResponseWriter, r *http.Request, dir, base string) {
	var asked struct {
		Operation string      `json:"operation"`
		Objects   []lfsObject `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Operation != "download" {
		s.refuse(w, r, http.StatusForbidden, "only downloads of large files are served")
		return
	}
	for i, o := range asked.Objects {
		info, err := os.Stat(filepath.Join(dir, filepath.Base(o.ID)))
		if err != nil || !lfsID.MatchString(o.ID) || info.Size() != o.Size {
			asked.Objects[i].Error = &lfsError{http.StatusNotFound, "Object does not exist on the server"}
			continue
		}
		asked.Objects[i].Actions = map[string]lfsAction{"download": {base + o.ID}}
	}
	body, err := json.Marshal(map[string]any{"transfer": "basic", "objects": asked.Objects})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", lfsType)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
