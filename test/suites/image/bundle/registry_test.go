//go:build image

package bundle

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// registryConfig lets anybody pull.
const registryConfig = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: %q}
http: {addr: %q}
`

// pushed are the images that jobs find at docker.io, from the storage of this user.
var pushed = map[string]string{
	"docker.io/library/debian:trixie-slim":      debianImage,
	"localhost/podman-executor/user1000:latest": userImage,
	"localhost/podman-executor/redis:latest":    redisImage,
	"localhost/podman-executor/clients:latest":  clientImage,
	"localhost/podman-executor/buildah:latest":  buildahImage,
}

// derivedImage returns the bundle image with a registries.conf that has the test's
// registry in docker.io's place. Registry and image are made once.
func derivedImage(t *testing.T) string {
	t.Helper()
	name, err := derived()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

var derived = sync.OnceValues(func() (string, error) {
	address, err := startRegistry(filepath.Join(work, "registry"))
	if err != nil {
		return "", err
	}
	for local, name := range pushed {
		remote := address + "/" + strings.TrimPrefix(name, "docker.io/")
		if out, err := exec.Command("podman", "push", "--quiet", "--tls-verify=false", local, "docker://"+remote).CombinedOutput(); err != nil {
			return "", fmt.Errorf("podman push %s: %w\n%s", local, err, out)
		}
	}
	return deriveImage(bundleImage, "registry", map[string]string{
		"etc/containers/registries.conf.d/test.conf": fmt.Sprintf("[[registry]]\nprefix = \"docker.io\"\nlocation = %q\ninsecure = true\n", address),
	})
})

// deriveImage makes an image of the bundle and further files, as administrators
// who have a policy of their own do.
func deriveImage(from, name string, files map[string]string) (string, error) {
	context := filepath.Join(work, name+"-context")
	for path, text := range files {
		path = filepath.Join(context, "root", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(context, "Containerfile"), []byte("FROM "+from+"\nCOPY root /\n"), 0o644); err != nil {
		return "", err
	}
	image := "localhost/podman-executor/bundle-" + name + ":latest"
	out, err := exec.Command("podman", "build", "--quiet", "--no-cache", "--tag", image, context).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("podman build: %w\n%s", err, out)
	}
	return image, nil
}

// derive makes an image of the machine's and further files.
func (m *machine) derive(name string, files map[string]string) string {
	m.Helper()
	image, err := deriveImage(m.image, name, files)
	if err != nil {
		m.Fatal(err)
	}
	return image
}

// policy is the one that the image has.
func policy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("image/rootfs/etc/podman-executor/policy.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// work is a directory of the whole run of the tests.
var work string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bundle")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		work = dir
		defer os.RemoveAll(dir)
		defer func() {
			if registry != nil {
				_ = registry.Kill()
			}
		}()
		return m.Run()
	}())
}

var registry *os.Process

// startRegistry starts Debian's docker-registry where containers reach it.
func startRegistry(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	host, err := ownAddress()
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, filepath.Join(dir, "data"), address), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("docker-registry", "serve", config)
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("docker-registry: %w", err)
	}
	registry = cmd.Process
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			_ = answer.Body.Close()
			return address, nil
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("the registry does not answer: %w", err)
		}
	}
}
