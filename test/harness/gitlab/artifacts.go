package gitlab

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
)

// archiveType is the artifact_type of what artifacts:paths asks for; the only
// one that can be downloaded.
const archiveType = "archive"

// Upload is an artifact that a job sent.
type Upload struct {
	Type     string // "archive", or a report's
	Format   string // "zip", "gzip"
	Filename string
	ExpireIn string
	Data     []byte
}

// FS opens a zip upload for reading.
func (u Upload) FS() (fs.FS, error) {
	archive, err := zip.NewReader(bytes.NewReader(u.Data), int64(len(u.Data)))
	if err != nil {
		return nil, fmt.Errorf("opening artifacts %s: %w", u.Filename, err)
	}
	return archive, nil
}

// archive is the run's downloadable upload.
func (r *Run) archive() (Upload, bool) {
	for _, u := range r.Artifacts() {
		if u.Type == archiveType {
			return u, true
		}
	}
	return Upload{}, false
}

// Dependency is the run as another job's dependency; false as long as it has
// uploaded no archive.
func (r *Run) Dependency() (Dependency, bool) {
	u, ok := r.archive()
	if !ok {
		return Dependency{}, false
	}
	file := ArtifactsFile{Filename: u.Filename, Size: int64(len(u.Data))}
	return Dependency{ID: r.Job.ID, Token: r.Job.Token, Name: r.Job.Info.Name, ArtifactsFile: file}, true
}

// uploadArtifacts stores one upload per type (network/gitlab.go:1059).
func uploadArtifacts(run *Run, r *http.Request, body []byte) reply {
	upload, err := readUpload(r, body)
	if err != nil {
		return refusal(http.StatusBadRequest, "%v", err)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.state.Over() {
		return run.notRunning()
	}
	if slices.ContainsFunc(run.uploads, func(u Upload) bool { return u.Type == upload.Type }) {
		return refusal(http.StatusBadRequest, "another artifact of the type %q already exists", upload.Type)
	}
	run.uploads = append(run.uploads, upload)
	run.notify()
	return reply{status: http.StatusCreated}
}

// readUpload reads the form's part "file". The query tells what it is.
func readUpload(r *http.Request, body []byte) (Upload, error) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := r.MultipartReader()
	if err != nil {
		return Upload{}, fmt.Errorf("reading the upload: %w", err)
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return Upload{}, fmt.Errorf("finding the form's part \"file\": %w", err)
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return Upload{}, fmt.Errorf("reading the upload: %w", err)
		}
		q := r.URL.Query()
		return Upload{
			Type: orDefault(q.Get("artifact_type"), archiveType), Format: orDefault(q.Get("artifact_format"), "zip"),
			Filename: part.FileName(), ExpireIn: q.Get("expire_in"), Data: data,
		}, nil
	}
}

// downloadArtifacts sends a job's archive to whoever holds that job's token, the
// job being over or not: the dependent job was given it (network/gitlab.go:1282).
func downloadArtifacts(run *Run, _ *http.Request, _ []byte) reply {
	upload, ok := run.archive()
	if !ok {
		return refusal(http.StatusNotFound, "job has no artifacts")
	}
	return reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/zip"}}, body: upload.Data}
}
