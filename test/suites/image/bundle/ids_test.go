//go:build image

package bundle

import (
	"os"
	"strings"
	"testing"

	"podman-executor/test/harness/gitlab"
)

// A user with 65536 ids, as distributions give them: jobs run, apt-get among them,
// and the log says what is lost. `make test-image` runs it as a second user.
func TestNarrowIDs(t *testing.T) {
	if os.Getenv("PODMAN_EXECUTOR_TEST_IDS") != "65536" {
		t.Fatal("this test is for a user with 65536 ids: run `make test-image`")
	}
	m := newMachine(t)
	m.setUp()
	log := m.do("podman logs " + container + " 2>&1")
	for _, want := range []string{"fit-ids: warning", "65535", "65539"} {
		if !strings.Contains(log, want) {
			t.Errorf("podman logs lacks %q", want)
		}
	}
	hello(m)
	aptGet(m)
	run := m.run(gitlab.NewJob("ids", "touch f", "chown 65534:65534 f && stat -c 'owned by %u:%g' f", "chown 65535:65535 f"))
	if run.State() != gitlab.StateFailed || !strings.Contains(run.Log(), "owned by 65534:65534") || !strings.Contains(run.Log(), "Invalid argument") {
		t.Errorf("a job with the ids 65534 and 65535 is %s:\n%s", run.State(), run.Log())
	}
	userOfItsOwn(m)
	services(m)
}
