//go:build e2e

package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// front stands before a registry: it keeps what is asked for, and may answer
// itself.
type front struct {
	*registry
	host string
	// proxy asks the registry.
	proxy *httputil.ReverseProxy
	mu    sync.Mutex
	// asked are the requests that had an account, and those that need none:
	// "GET /v2/… by USER".
	asked []string
}

// held is a front that answers no request for a manifest until release is closed; asked is
// closed with the first.
func (r *registry) held() (f *front, asked, release chan struct{}) {
	r.Helper()
	asked, release = make(chan struct{}), make(chan struct{})
	var first sync.Once
	f = r.front(func(_ http.ResponseWriter, request *http.Request) bool {
		if isManifest(request) {
			first.Do(func() { close(asked) })
			<-release
		}
		return false
	})
	return f, asked, release
}

// front starts a proxy. The registry's answer is left to it where answer says
// false; a nil answer always does.
func (r *registry) front(answer func(http.ResponseWriter, *http.Request) bool) *front {
	r.Helper()
	f := &front{registry: r}
	scheme, client := transport(r.T)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: scheme, Host: r.host})
	proxy.Transport = client.Transport
	f.proxy = proxy
	f.host = listen(r.T, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		user, _, ok := request.BasicAuth()
		if ok {
			f.mu.Lock()
			f.asked = append(f.asked, request.Method+" "+request.URL.Path+" by "+user)
			f.mu.Unlock()
		}
		if answer == nil || !answer(w, request) {
			proxy.ServeHTTP(w, request)
		}
	}))
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.Fatal(err)
	}
	write(r.T, r.config, fmt.Sprintf("%s[[registry]]\nlocation = %q\ninsecure = true\n", text, f.host))
	return f
}

// listen serves a registry's answers on loopback, and returns its address.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() {
		if ofRegistries, key := certificate(); ofRegistries != "" {
			_ = server.ServeTLS(l, ofRegistries, key)
		} else {
			_ = server.Serve(l)
		}
	}()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// image returns the name of an image behind the front, which is removed from the
// local storage after the test.
func (f *front) image(name string) string {
	name = f.host + "/" + name
	f.Cleanup(func() { _ = podmanCommand("rmi", "--force", name).Run() })
	return name
}

// requests returns how often each request that contains a text was made.
func (f *front) requests(text string) map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[string]int{}
	for _, r := range f.asked {
		if strings.Contains(r, text) {
			counts[r]++
		}
	}
	return counts
}

// total is the number of requests that contain a text.
func (f *front) total(text string) int {
	n := 0
	for _, count := range f.requests(text) {
		n += count
	}
	return n
}

// ownRepositories refuses an account every repository but those below its own
// name, as registries with rights do.
func ownRepositories(w http.ResponseWriter, r *http.Request) bool {
	user, _, ok := r.BasicAuth()
	if !ok || r.URL.Path == "/v2/" || strings.HasPrefix(r.URL.Path, "/v2/"+user+"/") {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprint(w, `{"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}`)
	return true
}

// isManifest tells whether a request is for an image's manifest.
func isManifest(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }

// answers answers a request with a status alone.
func answers(w http.ResponseWriter, status int) bool {
	w.WriteHeader(status)
	return true
}

// build builds an image whose layers no other has, and returns its name. The
// Containerfile may copy the file `unique`.
func build(t *testing.T, containerfile string, options ...string) string {
	t.Helper()
	dir, name := t.TempDir(), "localhost/podman-executor/e2e-"+strings.ToLower(rand.Text())
	write(t, filepath.Join(dir, "unique"), rand.Text())
	write(t, filepath.Join(dir, "Containerfile"), containerfile)
	podman(t, append(append([]string{"build", "--quiet", "--no-cache", "--pull=never", "--tag", name}, options...), dir)...)
	t.Cleanup(func() { _ = podmanCommand("rmi", "--force", name).Run() })
	return name
}

// pushed builds an image with a layer of its own, pushes it and removes it from
// the local storage. It returns its ID.
func (r *registry) pushed(name string) string {
	r.Helper()
	local := build(r.T, "FROM "+busyboxImage+"\nCOPY unique /unique\n")
	id := podman(r.T, "image", "inspect", "--format", "{{.Id}}", local)
	r.push(local, name)
	podman(r.T, "rmi", "--force", local)
	return id
}
