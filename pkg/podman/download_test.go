package podman

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const (
	blobOne = "4798a3d6dc09d1c1ad28908691bf017a807e6dd3e7747d360dd1c4ab6aa12044"
	blobTwo = "396116cab180fa22364f002e574ab9c44a4895f69739fed5e80ab0708c9e44c7"
)

// layer writes a file of a download as podman does.
func layer(t *testing.T, d *download, name string, size int) {
	t.Helper()
	name = filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDownload(t *testing.T) {
	tmp := t.TempDir()
	p := &Podman{Env: []string{"A=b", "TMPDIR=" + tmp, "TMPDIRS=x"}}
	d := p.newDownload()
	if want := []string{"A=b", "TMPDIR=" + d.dir, "TMPDIRS=x"}; !slices.Equal(d.env(p.Env), want) || filepath.Dir(d.dir) != tmp {
		t.Errorf("the environment is %q", d.env(p.Env))
	}
	want := func(want Progress) {
		t.Helper()
		if got := d.progress(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	says := func(line string, taken bool) {
		t.Helper()
		if d.takes(line) != taken {
			t.Errorf("%q: taken or not, want %v", line, taken)
		}
	}
	want(Progress{})
	says("Trying to pull docker.io/library/debian:12...", true)
	says(`time="2026-11-30T14:31:33Z" level=warning msg="Failed, retrying in 1s ... (1/3). Error: reading manifest 1 in \"x\": toomanyrequests: slow down"`, false)
	want(Progress{Trying: `reading manifest 1 in "x": toomanyrequests: slow down`})
	says("Getting image source signatures", true)
	says("Copying blob sha256:"+blobOne, true)
	says("Copying blob sha256:"+blobTwo, true)
	says("Copying blob sha256:"+blobOne, true)
	want(Progress{Layers: 2})
	layer(t, d, "container_images_storage123/1", 1000)
	layer(t, d, "other/1", 1000)
	want(Progress{Bytes: 1000, Layers: 2, Fetched: 1})
	layer(t, d, "container_images_storage123/1", 4000)
	says("Copying config sha256:"+blobOne, true)
	if err := os.RemoveAll(filepath.Join(d.dir, "container_images_storage123")); err != nil {
		t.Fatal(err)
	}
	says("Writing manifest to image destination", true)
	says("Storing signatures", true)
	says("Error: Trying to pull docker.io/library/debian:12...", false)
	says("Copying blob sha256:…", false)
	want(Progress{Bytes: 4000, Layers: 2, Fetched: 1, Complete: true})
	if err := d.remove(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The image's configuration is not a layer, whether or not it is there when podman says so.
func TestDownloadWithConfig(t *testing.T) {
	p := &Podman{Env: []string{"TMPDIR=" + t.TempDir()}}
	for _, early := range []bool{true, false} {
		d := p.newDownload()
		for _, blob := range []string{blobOne, blobTwo, pulledID} {
			d.takes("Copying blob sha256:" + blob)
		}
		layer(t, d, "storage1/9", 500)
		config := func() { layer(t, d, "storage1/10", 7) }
		if early {
			config()
		}
		d.takes(fmt.Sprintf("Copying config sha256:%x", sha256.Sum256(make([]byte, 7))))
		config()
		if got, want := d.progress(), (Progress{Bytes: 500, Layers: 3, Fetched: 1, Complete: true}); got != want {
			t.Errorf("early %v: got %+v, want %+v", early, got, want)
		}
	}
}

// What a registry says is bounded.
func TestDownloadOfLongText(t *testing.T) {
	d := &download{layers: map[string]bool{}}
	d.takes(`time="now" level=warning msg="Failed, retrying in 1s ... (1/3). Error: ` + strings.Repeat("ä", maxTrying) + `"`)
	if got := d.progress().Trying; got != strings.Repeat("ä", maxTrying/2) {
		t.Errorf("got %q", got)
	}
}

// Nobody says that layers were there before if podman wrote much, but to no file that can be seen,
// or if its directory was gone.
func TestDownloadUnseen(t *testing.T) {
	p := &Podman{Env: []string{"TMPDIR=" + t.TempDir()}}
	d := p.newDownload()
	d.takes("Copying blob sha256:" + blobOne)
	d.takes("Copying config sha256:" + blobOne)
	if got := d.progress(); got.Complete {
		t.Errorf("without podman's directory: %+v", got)
	}
	layer(t, d, "storage1/1", 1)
	_ = os.Remove(filepath.Join(d.dir, "storage1/1"))
	d.takes("Copying config sha256:" + blobOne)
	d.ended(&syscall.Rusage{Oublock: 100})
	if got := d.progress(); !got.Complete {
		t.Errorf("it wrote little: %+v", got)
	}
	d.ended(&syscall.Rusage{Oublock: 1 << 20})
	if got := d.progress(); got.Complete {
		t.Errorf("it wrote much: %+v", got)
	}
	if got := (&Podman{URL: "unix:///x", Env: p.Env}).newDownload(); got.dir != "" || got.progress().Bytes != -1 {
		t.Errorf("for a service: %q, %+v", got.dir, got.progress())
	}
}

func TestDownloadHidden(t *testing.T) {
	d := &download{dir: "/var/tmp/podman-executor-pull-7X"}
	for stderr, want := range map[string]bool{
		"initializing destination x: creating a temporary directory: stat /var/tmp/podman-executor-pull-7X: no such file or directory":  true,
		"initializing destination x: creating a temporary directory: stat /var/tmp/podman-executor-pull-7XY: no such file or directory": false,
		"open /var/tmp/podman-executor-pull-7X/storage1/1: no such file or directory":                                                   false,
	} {
		if got := d.hidden(&ExitError{Code: ExitPodman, Stderr: stderr}); got != want {
			t.Errorf("%q: got %v", stderr, got)
		}
	}
	if d.hidden(nil) || d.hidden(errors.New("x")) {
		t.Error("hidden without podman saying so")
	}
}

// A pull tells of its end at least once, and leaves nothing where podman downloads.
func TestPullProgress(t *testing.T) {
	const said = "Trying to pull x...\nCopying blob sha256:" + blobOne + "\nError: reading blob: unexpected EOF"
	p, _ := answers(t, map[string]string{"image-pull.stderr": said, "image-pull.exit": "125"})
	tmp := t.TempDir()
	p.Env = append(p.Env, "TMPDIR="+tmp)
	var latest Progress
	_, err := p.Pull(t.Context(), Pull{Name: "x", Progress: func(now Progress) { latest = now }})
	if latest != (Progress{Layers: 1}) {
		t.Errorf("got %+v", latest)
	}
	if err == nil || err.Error() != "podman image pull: exit status 125: reading blob: unexpected EOF" {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSieve(t *testing.T) {
	var out bytes.Buffer
	s := &sieve{to: &out, takes: func(line string) bool { return strings.HasPrefix(line, "no") }}
	long := strings.Repeat("no", maxLine)
	for _, part := range []string{"n", "o\nyes\n\nno", "\nye", "s\nnone\n", long, "\nend no", "t"} {
		_, _ = s.Write([]byte(part))
	}
	s.end()
	if got, want := out.String(), "yes\n\nyes\n"+long+"\nend not"; got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}
