package gitlab

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func zipOf(t *testing.T, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte(content)) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.String()
}

func TestArtifactsUpAndDown(t *testing.T) {
	server, c := start(t)
	run := server.Submit(NewJob("build", "true"))
	job := c.mustRequest()
	c.running(job)
	if _, ok := run.Dependency(); ok {
		t.Error("a job without archive is a dependency")
	}
	archive := zipOf(t, "dir/out.txt", "hello")
	wantStatus(t, "upload", c.upload(job, job.Token, "artifact_format=zip&artifact_type=archive&expire_in=1+week", archive), http.StatusCreated)
	wantStatus(t, "report", c.upload(job, job.Token, "artifact_format=gzip&artifact_type=junit", "gz"), http.StatusCreated)
	want := []Upload{
		{Type: "archive", Format: "zip", Filename: "artifacts.zip", ExpireIn: "1 week", Data: []byte(archive)},
		{Type: "junit", Format: "gzip", Filename: "artifacts.zip", Data: []byte("gz")},
	}
	if diff := cmp.Diff(want, run.Artifacts()); diff != "" {
		t.Errorf("Artifacts (-want +got):\n%s", diff)
	}
	files, err := run.Artifacts()[0].FS()
	if err != nil {
		t.Fatal(err)
	}
	if content, err := fs.ReadFile(files, "dir/out.txt"); err != nil || string(content) != "hello" {
		t.Errorf("dir/out.txt: %q, %v", content, err)
	}
	if _, err := run.Artifacts()[1].FS(); err == nil {
		t.Error("a report was opened as a zip")
	}
	c.final(job, "", 0)

	dependency, ok := run.Dependency()
	wanted := Dependency{ID: job.ID, Token: job.Token, Name: "build", ArtifactsFile: ArtifactsFile{"artifacts.zip", int64(len(archive))}}
	if diff := cmp.Diff(wanted, dependency); !ok || diff != "" {
		t.Errorf("Dependency is %t (-want +got):\n%s", ok, diff)
	}
	a := c.download(job, dependency.Token)
	wantStatus(t, "download after the end", a, http.StatusOK)
	wantHeader(t, "download", a, "Content-Type", "application/zip")
	if string(a.body) != archive {
		t.Errorf("downloaded %d bytes, want %d", len(a.body), len(archive))
	}
	wantExpected(t, server)
}

func TestArtifactRefusals(t *testing.T) {
	server, c := start(t)
	server.Submit(NewJob("one", "true"))
	server.Submit(NewJob("two", "true"))
	one, two := c.mustRequest(), c.mustRequest()
	c.running(one)
	c.running(two)
	wantStatus(t, "download of nothing", c.download(one, one.Token), http.StatusNotFound)
	wantStatus(t, "upload", c.upload(one, one.Token, "", "zip"), http.StatusCreated)
	noForm := c.do("POST", fmt.Sprintf("jobs/%d/artifacts", one.ID), map[string]string{"JOB-TOKEN": one.Token}, []byte("zip"))
	noFile := c.do("POST", fmt.Sprintf("jobs/%d/artifacts", one.ID),
		map[string]string{"JOB-TOKEN": one.Token, "Content-Type": "multipart/form-data; boundary=x"}, []byte("--x--\r\n"))
	refused := []struct {
		what   string
		a      answer
		status int
	}{
		{"second archive", c.upload(one, one.Token, "", "zip"), http.StatusBadRequest},
		{"no form", noForm, http.StatusBadRequest},
		{"form without file", noFile, http.StatusBadRequest},
		{"upload with the other job's token", c.upload(one, two.Token, "artifact_type=junit", "x"), http.StatusForbidden},
		{"download with the other job's token", c.download(one, two.Token), http.StatusForbidden},
	}
	for _, r := range refused {
		wantStatus(t, r.what, r.a, r.status)
	}
	if got := len(server.Unexpected()); got != 1+len(refused) {
		t.Errorf("%d unexpected calls: %q", got, server.Unexpected())
	}
}
