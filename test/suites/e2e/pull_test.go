//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// pulledBy gives a job an image and an account for it.
func pulledBy(a account, image string, j gitlab.Job) gitlab.Job {
	host, _, _ := strings.Cut(image, "/")
	j.Credentials = append(j.Credentials, a.credential(host))
	return in(image, j)
}

// A job's pull policies are tried in its order, within those that are allowed.
func TestPullPoliciesOfTheJob(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	image := r.host + "/reader/only-here:1"
	podman(t, "tag", busyboxImage, image)
	t.Cleanup(func() { _ = podmanCommand("rmi", "--force", image).Run() })
	m := start(t, defaults(r.policy(), `allowed_pull_policies = ["always", "if-not-present"]`))
	j := pulledBy(r.account, image, job("always, then if-not-present", "echo ran"))
	j.Image.PullPolicy = []string{"never", "always", "if-not-present"}
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, `warning: pull policy "always" failed for `+image+": ", "manifest unknown")
	logs(t, run, "Using image "+image+" in the user container: ", "found locally", "ran")

	j.Image.PullPolicy = []string{"always"}
	refused(t, m.run(j), "getting the image", "manifest unknown")
	j.Image.PullPolicy = []string{"never", "newer"}
	refused(t, m.run(j), `pull_policy ["never" "newer"]`, `only allows the pull policies "always", "missing"`)

	// A service is held to the same.
	s := in(busyboxImage, job("service", "echo ran"))
	s.Services = []gitlab.Image{service(redisImage, "cache")}
	s.Services[0].PullPolicy = []string{"never"}
	refused(t, m.run(s), `pull_policy ["never"]`)
	s.Services[0].PullPolicy = []string{"if-not-present"}
	succeeded(t, m.run(s))
}

// Pull policies that the administrator does not allow are refused before any registry is asked.
func TestPullPolicyRefused(t *testing.T) {
	t.Parallel()
	m := start(t, defaults(`allowed_pull_policies = ["always", "if-not-present"]`))
	j := in(busyboxImage, job("never, then newer", "echo ran"))
	j.Image.PullPolicy = []string{"never", "newer"}
	refused(t, m.run(j), `pull_policy ["never" "newer"]`, `only allows the pull policies "always", "missing"`)
	j.Image.PullPolicy = []string{"if-not-present"}
	succeeded(t, m.run(j))
}

// An image that one project has pulled with its credentials is not another's, even
// where the pull policy would take it from the local storage.
func TestImageOfAnotherProject(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f := r.front(ownRepositories)
	r.pushed("reader/private:1")
	image := f.image("reader/private:1")
	policy := func(pull string, more ...string) func(string) string {
		return defaults(append([]string{r.policy(), fmt.Sprintf("image_pull_policy = %q", pull)}, more...)...)
	}
	m := start(t, policy("missing"))
	succeeded(t, m.run(pulledBy(r.account, image, job("the first", "echo ran"))))
	own := m.run(in(image, job("the same project", "echo ran")))
	succeeded(t, own)
	logs(t, own, "Using image "+image, "found locally")

	digest := podman(t, "image", "inspect", "--format", "{{.Digest}}", image)
	another := func(image string) gitlab.Job {
		j := in(image, job("another project", "echo ran"))
		j.Info.ProjectID = 8
		return j
	}
	for _, name := range []string{image, f.host + "/reader/private@" + digest, f.host + "/other/public@" + digest} {
		refused(t, m.run(another(name)), "getting the image")
		j := another(name)
		j.Credentials = []gitlab.Credential{r.other.credential(f.host)}
		refused(t, m.run(j), "getting the image")
	}
	for _, pull := range []string{"newer", "never"} {
		if err := m.runner.SetPolicy(policy(pull)(m.dir)); err != nil {
			t.Fatal(err)
		}
		refused(t, m.run(another(image)), "getting the image")
	}
	logs(t, m.run(in(image, job("the same project, never", "echo ran"))), "ran")

	// Who can pull it may have it, and is remembered.
	if err := m.runner.SetPolicy(policy("missing")(m.dir)); err != nil {
		t.Fatal(err)
	}
	allowed := another(image)
	allowed.Credentials = []gitlab.Credential{r.credential(f.host)}
	run := m.run(allowed)
	succeeded(t, run)
	logs(t, run, "pulled in ")
	logs(t, m.run(another(image)), "found locally", "ran")
	r.noSecrets(m, run)

	// What the administrator gives to every job is for every job.
	if err := m.runner.SetPolicy(policy("never", fmt.Sprintf("default_image = %q", image))(m.dir)); err != nil {
		t.Fatal(err)
	}
	j := another("")
	j.Info.ProjectID = 9
	succeeded(t, m.run(j))
}

// What cannot be remembered is not pulled: the next job would not know that it is
// private, or that an image is in use.
func TestImageThatCannotBeRemembered(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f := r.front(nil)
	r.pushed("reader/app:1")
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for name, test := range map[string]struct {
		below string // of what would be state_dir, is a file
		want  []string
	}{
		"who may read it": {"private-images", []string{"podman-executor-prepare: error: getting the image", "who may read", "hint: set general.state_dir in "}},
		"that it is used": {"", []string{"podman-executor-prepare: error: creating the directory for records: ", "hint: set general.state_dir in "}},
	} {
		t.Run(name, func(t *testing.T) {
			stateDir := filepath.Join(file, "state")
			if test.below != "" {
				stateDir = t.TempDir()
				write(t, filepath.Join(stateDir, test.below), "")
			}
			m := start(t, func(dir string) string {
				return policyText(dir, []string{fmt.Sprintf("state_dir = %q", stateDir)}, []string{r.policy()})
			})
			run := m.run(pulledBy(r.account, f.image("reader/app:1"), job("no state", "echo ran")))
			failed(t, run, "runner_system_failure", 0)
			logs(t, run, test.want...)
			lacks(t, run, "ran\n")
			if n := f.total("/manifests/"); n != 0 {
				t.Errorf("the image was pulled %d times", n)
			}
		})
	}
}

// Three jobs pull one image at a time: each layer is fetched once, and each job
// asks the registry with its own account.
func TestPullOnce(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	id := r.pushed("reader/app:1")
	fetching, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	f := r.front(func(_ http.ResponseWriter, request *http.Request) bool {
		if strings.Contains(request.URL.Path, "/blobs/") && !strings.HasSuffix(request.URL.Path, id) {
			first.Do(func() { close(fetching) })
			<-release
		}
		return false
	})
	image := f.image("reader/app:1")
	m := startConcurrent(t, 3, defaults(r.policy(), `allowed_pull_policies = ["always"]`))
	j := pulledBy(r.account, image, job("first", "cat /unique"))
	j.Image.PullPolicy = []string{"always"}
	runs := []*gitlab.Run{m.server.Submit(j)}
	<-fetching
	for _, a := range []account{r.account, r.other} {
		j := pulledBy(a, image, job("next", "cat /unique"))
		j.Image.PullPolicy = []string{"always"}
		runs = append(runs, m.server.Submit(j))
	}
	for _, run := range runs[1:] {
		m.waitLog(run, "Waiting for another job that is pulling from "+f.host+"/reader/app\n")
	}
	close(release)
	for _, run := range runs {
		m.wait(run)
		succeeded(t, run)
		logs(t, run, "Using image "+image, "pulled in ")
	}
	m.nothingLeft()
	layers := 0
	for request, n := range f.requests("/blobs/") {
		if !strings.Contains(request, id) {
			layers++
			if n != 1 {
				t.Errorf("%d times: %s", n, request)
			}
		}
	}
	if layers != 1 {
		t.Errorf("%d layers were fetched, want the one that is not busybox's: %v", layers, f.requests("/blobs/"))
	}
	if byReader, byOther := f.total("/manifests/1 by reader"), f.total("/manifests/1 by other"); byReader != 2 || byOther != 1 {
		t.Errorf("the manifest was asked for %d times by one account, %d times by the other", byReader, byOther)
	}
}

// With "missing", jobs that have waited find what the first has pulled.
func TestPullOnceWhenMissing(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.pushed("reader/app:1")
	f, asked, release := r.held()
	image := f.image("reader/app:1")
	m := startConcurrent(t, 2, defaults(r.policy()))
	one := m.server.Submit(pulledBy(r.account, image, job("first", "cat /unique")))
	<-asked
	two := m.server.Submit(pulledBy(r.account, image, job("second", "cat /unique")))
	m.waitLog(two, "Waiting for another job")
	close(release)
	m.wait(one)
	m.wait(two)
	succeeded(t, one)
	succeeded(t, two)
	logs(t, one, "pulled in ")
	logs(t, two, "Using image "+image, "found locally")
	if n := f.total("/manifests/1"); n != 1 {
		t.Errorf("the manifest was asked for %d times", n)
	}
}

// A job that is cancelled while it waits for another's pull ends at once.
func TestCancelledWhileWaitingForAPull(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.pushed("reader/app:1")
	asked, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	f := r.front(func(_ http.ResponseWriter, request *http.Request) bool {
		if isManifest(request) {
			first.Do(func() { close(asked) })
			<-release
		}
		return false
	})
	m := startConcurrent(t, 2, defaults(r.policy()))
	image := f.image("reader/app:1")
	one := m.server.Submit(pulledBy(r.account, image, job("first", "echo ran")))
	<-asked
	two := m.server.Submit(pulledBy(r.account, image, job("second", "echo ran")))
	m.waitLog(two, "Waiting for another job")
	two.Cancel()
	m.wait(two)
	close(release)
	m.wait(one)
	succeeded(t, one)
	m.nothingLeft()
	lacks(t, two, "$ echo ran")
}

// A pull that is cancelled, with credentials that nobody has looked at, takes no image away
// from other projects.
func TestCancelledPullRestrictsNothing(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f, asked, release := r.held()
	t.Cleanup(func() { close(release) })
	byHand := f.image("reader/app:by-hand")
	// An image of its own: podman 4.3.1 loses names that are given to one image at a time.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Containerfile"), "FROM "+busyboxImage+"\nLABEL of="+t.Name()+"\n")
	podman(t, "build", "--quiet", "--pull=never", "--tag", byHand, dir)
	t.Cleanup(func() { _ = podmanCommand("rmi", "--force", byHand).Run() })
	m := start(t, defaults(r.policy(), `image_pull_policy = "missing"`, `allowed_pull_policies = ["missing", "never"]`))
	attack := m.server.Submit(pulledBy(r.account, f.image("reader/app:none"), job("cancelled", "echo ran")))
	<-asked
	attack.Cancel()
	m.wait(attack)
	for _, pull := range []string{"if-not-present", "never"} {
		j := in(byHand, job("another project, "+pull, "echo ran"))
		j.Info.ProjectID = 8
		j.Image.PullPolicy = []string{pull}
		run := m.run(j)
		succeeded(t, run)
		logs(t, run, "Using image "+byHand, "found locally")
	}
}

// A registry that fails for a moment costs no job. podman 5 tries 503 again by
// itself, and 500 no podman does.
func TestRegistryThatRecovers(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusInternalServerError} {
		name := fmt.Sprintf("reader/app-%d:1", status)
		r.pushed(name)
		var failures atomic.Int32
		f := r.front(func(w http.ResponseWriter, request *http.Request) bool {
			return isManifest(request) && failures.Add(1) <= 2 && answers(w, status)
		})
		image := f.image(name)
		m := start(t, defaults(r.policy()))
		run := m.run(pulledBy(r.account, image, job("recovers", "echo ran")))
		succeeded(t, run)
		logs(t, run, "Using image "+image, "pulled in ", "ran")
		lacks(t, run, "Will be retried in")
		if status == http.StatusInternalServerError {
			logs(t, run, "pulling "+image+" failed (try 1 of 3)", "500 Internal Server Error", "try 2 of 3")
		}
	}
}

// One that stays down is nobody's fault in the project: the runner tries again,
// three times in all.
func TestRegistryThatStaysDown(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	r.pushed("reader/app:1")
	f := r.front(func(w http.ResponseWriter, request *http.Request) bool {
		return isManifest(request) && answers(w, http.StatusInternalServerError)
	})
	m := start(t, defaults(r.policy()))
	run := m.run(pulledBy(r.account, f.image("reader/app:1"), job("down", "echo ran")))
	failed(t, run, "runner_system_failure", 0)
	logs(t, run, "podman-executor-prepare: error: getting the image", "500 Internal Server Error", "hint: the registry has an error of its own (500)")
	if n := f.total("/manifests/"); n != 9 {
		t.Errorf("the registry was asked %d times, want 3 tries of each of 3 prepares", n)
	}
}

// What the job's author has to fix is not tried again.
func TestPullRefusedAtOnce(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	f := r.front(ownRepositories)
	r.pushed("other/app:1")
	r.pushed("reader/app:1")
	m := start(t, defaults(r.policy()))
	for name, want := range map[string]string{"reader/app:no-such-tag": "manifest unknown", "other/app:1": "denied"} {
		refused(t, m.run(pulledBy(r.account, f.image(name), job(name, "echo ran"))), "getting the image", want)
		path, tag, _ := strings.Cut(name, ":")
		if n := f.total(path + "/manifests/" + tag); n != 1 {
			t.Errorf("%s was asked for %d times", name, n)
		}
	}
}
