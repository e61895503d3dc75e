package policy

import "testing"

// What is the driver's, or another job's, is refused whatever the list allows: the
// place itself, what is in it, and what it is in.
func TestPrivatePlaces(t *testing.T) {
	p := policyWith(t, "volume_allow_list = ['/.*']\n")
	private := []string{"/tmp/custom-executor1", "/run/user/1000", "/home/ci/.gitlab-runner/config.toml"}
	for _, source := range []string{
		"/tmp", "/tmp/custom-executor1", "/tmp/custom-executor1/podman-executor-plan.json",
		"/run", "/run/user", "/run/user/1000", "/run/user/1000/podman", "/home", "/home/ci", "/home/ci/.gitlab-runner", "/home/ci/.gitlab-runner/config.toml",
	} {
		message, hint := deny(t, p, Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, source+":/x:ro")}, Private: private})
		if message != `policy denies USER_VOLUMES: volume "`+source+`": this runner keeps files of its own, or of other jobs, there` ||
			hint != "mount a directory that holds data only (p.toml:5: general.podman.volume_allow_list)" {
			t.Errorf("%s: %s, %s", source, message, hint)
		}
	}
	for _, source := range []string{"/tmp/custom-executor12", "/tmp/data", "/run/user/1", "/run/user/10000", "/home/cid", "/home/ci/data"} {
		grant(t, p, Request{Image: "x", Volumes: []VolumeRequest{volumeRequest(t, source+":/x")}, Private: private})
	}
}
