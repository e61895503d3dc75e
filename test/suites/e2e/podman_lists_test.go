//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Containers of an image with large labels make no other job fail, and an image of larger ones
// keeps no image from being removed: their own job runs, too.
func TestLargeLabels(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.labelled("team/labels:1", 1300000)
	m := start(t, defaults(r.policy()))
	j := r.pulls(image, "large labels", untilReleased...)
	for _, alias := range []string{"one", "two"} {
		s := service(image, alias)
		s.Command = []string{"sleep", "600"}
		j.Services = append(j.Services, s)
	}
	run := m.server.Submit(j)
	m.waitLog(run, "holding")
	// No look at this podman was made yet.
	other := start(t, defaults(fmt.Sprintf("environment = [\"E2E=%s\"]", rand.Text())))
	hello := other.run(job("hello", "echo hello"))
	succeeded(t, hello)
	logs(t, hello, "hello\n")
	if _, stderr, status := other.byHand("--orphans", "--dry-run"); status != 0 || stderr != "" {
		t.Errorf("--orphans ends with %d and says %s", status, stderr)
	}
	if log := driverLog(t, other); !strings.Contains(log, "podman ps ") || strings.Contains(log, "podman ps failed") {
		t.Errorf("the other job has not looked, or podman has failed:\n%s", log)
	}
	m.release(run)
	m.wait(run)
	succeeded(t, run)

	succeeded(t, m.run(r.pulls(r.labelled("team/larger:1", 3000000), "larger", "echo ran")))
	if _, stderr, status := m.byHand("--images-unused-for", "0", "--dry-run"); status != 0 || stderr != "" {
		t.Errorf("--images-unused-for ends with %d and says %s", status, stderr)
	}
}

// A container that somebody runs by hand stays, whatever labels its image has: those of a dead
// job's container, too.
func TestContainerByHand(t *testing.T) {
	t.Parallel()
	image := build(t, "FROM "+busyboxImage+`
LABEL io.podman-executor.managed=true io.podman-executor.role=user io.podman-executor.job=1 io.podman-executor.project=1
LABEL io.podman-executor.owner=elsewhere/boot/pid/1/1 io.podman-executor.deadline=1 io.podman-executor.attempt=/none
`)
	name := "e2e-by-hand-" + strings.ToLower(rand.Text())
	podman(t, "run", "--detach", "--name", name, image, "sleep", "600")
	t.Cleanup(func() { _ = podmanCommand("rm", "--force", "--time", "0", name).Run() })
	// No look at this podman was made yet.
	m := start(t, defaults(fmt.Sprintf("environment = [\"E2E=%s\"]", rand.Text())))
	succeeded(t, m.run(job("hello", "echo hello")))
	if log := driverLog(t, m); !strings.Contains(log, "podman ps ") {
		t.Errorf("the job has not looked for leftovers:\n%s", log)
	}
	if stdout, stderr, status := m.byHand("--orphans"); status != 0 || strings.Contains(stdout, name) {
		t.Errorf("--orphans ends with %d and says %s%s", status, stdout, stderr)
	}
	if state := podman(t, "container", "inspect", "--format", "{{.State.Status}}", name); state != "running" {
		t.Errorf("the container is %s", state)
	}
}

// driverLog is the administrator's log of a machine.
func driverLog(t *testing.T, m *machine) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "driver.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// labelled pushes an image with a label of so many bytes, of signs that JSON has six bytes for, and a
// large one that the driver has, too.
func (r *registry) labelled(name string, size int) (image string) {
	r.Helper()
	image, _ = r.forged(name, func(_, config map[string]any) {
		config["Labels"] = map[string]string{"x": strings.Repeat("<", size), "io.podman-executor.owner": strings.Repeat("<", size/4)}
	})
	return image
}

// forged pushes an image that says of itself what no builder would write: edit changes its
// configuration, and what of that is for containers. It returns the image's name and ID.
func (r *registry) forged(name string, edit func(all, config map[string]any)) (image, id string) {
	r.Helper()
	image = r.push(busyboxImage, name)
	repository, tag, _ := strings.Cut(name, ":")
	var manifest, all map[string]any
	const kind = "application/vnd.oci.image.manifest.v1+json"
	text, _ := r.ask(http.MethodGet, "/v2/"+repository+"/manifests/"+tag, kind, nil)
	if err := json.Unmarshal(text, &manifest); err != nil {
		r.Fatal(err)
	}
	blob := manifest["config"].(map[string]any)
	text, _ = r.ask(http.MethodGet, fmt.Sprint("/v2/", repository, "/blobs/", blob["digest"]), "", nil)
	if err := json.Unmarshal(text, &all); err != nil {
		r.Fatal(err)
	}
	config := all["config"].(map[string]any)
	config["Env"] = []string{"PATH=/bin", "UNIQUE=" + rand.Text()}
	edit(all, config)
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(all); err != nil {
		r.Fatal(err)
	}
	id = r.blob(repository, plain.Bytes())
	blob["digest"], blob["size"] = "sha256:"+id, plain.Len()
	if layers, ok := all["rootfs"].(map[string]any)["diff_ids"].([]string); ok && len(layers) == 0 {
		manifest["layers"] = layers
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		r.Fatal(err)
	}
	r.ask(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, fmt.Sprint(manifest["mediaType"]), text)
	r.Cleanup(func() { _ = podmanCommand("rmi", "--force", "--ignore", id).Run() })
	return image, id
}

// blob uploads a blob, and returns its digest in hexadecimal.
func (r *registry) blob(repository string, text []byte) string {
	r.Helper()
	digest := fmt.Sprintf("%x", sha256.Sum256(text))
	_, location := r.ask(http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "application/octet-stream", nil)
	at, err := url.Parse(location)
	if err != nil {
		r.Fatal(err)
	}
	query := at.Query()
	query.Set("digest", "sha256:"+digest)
	at.RawQuery = query.Encode()
	r.ask(http.MethodPut, at.String(), "application/octet-stream", text)
	return digest
}

// ask makes a request to the registry, and returns the answer and its Location.
func (r *registry) ask(method, path, kind string, body []byte) (text []byte, location string) {
	r.Helper()
	scheme, client := transport(r.T)
	if strings.HasPrefix(path, "/") {
		path = scheme + "://" + r.host + path
	}
	request, err := http.NewRequest(method, path, bytes.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	request.SetBasicAuth(r.user, r.password)
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Accept", kind+", application/vnd.docker.distribution.manifest.v2+json")
	answer, err := client.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil || answer.StatusCode >= 300 {
		r.Fatalf("%s %s: %s %s, %v", method, path, answer.Status, text, err)
	}
	return text, answer.Header.Get("Location")
}

// podman cannot list images at all while its storage has one that it cannot read, which a pull leaves
// there although it fails. prepare removes it; and where it could not, images are removed all
// the same, that one among them.
func TestUnreadableImage(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image, id := r.forged("team/unreadable:1", func(all, _ map[string]any) { all["docker_version"] = 5 })
	old, oldID := r.host+"/team/old:1", r.pushed("team/old:1")
	m := start(t, defaults(r.policy()))
	refused(t, m.run(r.pulls(image, "unreadable", "echo ran")), "getting the image", "docker_version")
	if stored(t, id) {
		t.Error("the image that podman cannot read is in the storage")
	}
	succeeded(t, m.run(r.pulls(old, "old", "echo ran")))
	t.Cleanup(func() { _ = podmanCommand("rmi", "--force", "--ignore", oldID).Run() })

	// A prepare that was killed in the pull.
	if err := r.pull(image); err == nil || !stored(t, id) {
		t.Fatal("podman reads it")
	}
	m.unusedFor(100 * 24 * time.Hour)
	table, stderr, status := m.byHand("--images-unused-for", "30d", "--dry-run")
	if status != 0 || stderr != "" || !row(table, "image", old, "image unused") || strings.Contains(table, id[:12]) {
		t.Errorf("--dry-run ends with %d and says %s%s", status, stderr, table)
	}
	if log := driverLog(t, m); !strings.Contains(log, "podman cannot list images") || !strings.Contains(log, id) {
		t.Errorf("the administrator's log does not name the image:\n%s", log)
	}
	if _, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || stderr != "" || stored(t, oldID) {
		t.Errorf("it ends with %d and says %s; the image is there: %v", status, stderr, stored(t, oldID))
	}
}

// pull pulls an image behind the driver's back.
func (r *registry) pull(image string) error {
	cmd := podmanCommand("pull", "--quiet", "--authfile", r.authFile(), image)
	cmd.Env = append(os.Environ(), "CONTAINERS_REGISTRIES_CONF="+r.config)
	return cmd.Run()
}

// podman 4.3.1 lists no images, either, while its storage has one without layers beside a list of images
// that somebody has made on this machine.
func TestImageBesideAList(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.list("team/list:1")
	empty, emptyID := r.forged("team/empty:1", func(all, _ map[string]any) {
		all["rootfs"], all["history"] = map[string]any{"type": "layers", "diff_ids": []string{}}, nil
	})
	old, oldID := r.host+"/team/old:1", r.pushed("team/old:1")
	m := start(t, defaults(r.policy()))
	succeeded(t, m.run(r.pulls(old, "old", "echo ran")))
	t.Cleanup(func() { _ = podmanCommand("rmi", "--force", "--ignore", oldID).Run() })
	if err := r.pull(empty); err != nil || !stored(t, emptyID) {
		t.Fatalf("pulling the image without layers: %v", err)
	}
	m.unusedFor(100 * 24 * time.Hour)
	if table, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || stderr != "" || !row(table, "image", old) || stored(t, oldID) || !stored(t, emptyID) {
		t.Errorf("it ends with %d and says %s%s", status, stderr, table)
	}
}

// What an image says of itself is on command lines: one that says too much is refused.
func TestTooLargeImage(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	ports := map[string]any{}
	for i := range 65535 {
		ports[fmt.Sprintf("%d/tcp", i+1)] = map[string]any{}
	}
	m := start(t, defaults(r.policy()))
	for name, says := range map[string]any{"Entrypoint": []string{strings.Repeat("x", 1000000)}, "ExposedPorts": ports} {
		image, id := r.forged("team/"+strings.ToLower(name)+":1", func(_, config map[string]any) { config[name] = says })
		refused(t, m.run(r.pulls(image, name, "echo ran")), "getting the image", "larger than 64 KiB")
		if _, err := os.Stat(filepath.Join(m.dir, "state", "used", url.PathEscape("pulled/"+id))); err != nil {
			t.Errorf("no record tells that %s was pulled", image)
		}
	}
	succeeded(t, m.run(job("next", "echo next")))
}
