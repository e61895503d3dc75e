//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// shared makes a directory that the policy of these tests allows, with a file
// and with links, and one beside it that is not allowed.
func shared(t *testing.T) (allowed, secret string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	allowed, secret = filepath.Join(root, "allowed"), filepath.Join(root, "secret")
	for _, dir := range []string{allowed, secret, filepath.Join(allowed, "data")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(allowed, "data", "file"), "shared data\n")
	write(t, filepath.Join(secret, "file"), "top secret\n")
	for link, target := range map[string]string{"to-data": filepath.Join(allowed, "data"), "to-secret": secret, "up": ".."} {
		if err := os.Symlink(target, filepath.Join(allowed, link)); err != nil {
			t.Fatal(err)
		}
	}
	return allowed, secret
}

func volumePolicy(allowed string) func(string) string {
	return defaults(`user_volume_variable = "USER_VOLUMES"`, fmt.Sprintf("volume_allow_list = [%q]", allowed+"/.*"))
}

func volumes(j gitlab.Job, values ...string) gitlab.Job {
	for i, v := range values {
		name := "USER_VOLUMES"
		if i > 0 {
			name = fmt.Sprintf("USER_VOLUMES_%d", i)
		}
		j.SetVariable(name, v)
	}
	return j
}

func TestVolumesGranted(t *testing.T) {
	t.Parallel()
	allowed, _ := shared(t)
	m := start(t, volumePolicy(allowed))
	j := volumes(job("granted",
		"cat /one/file /two/file /three",
		"echo written by the job >/one/new",
		"echo x 2>/dev/null >/two/new || echo two is read-only"),
		allowed+"/data:/one", allowed+"/to-data:/two:ro", "$WHERE/file:/three:ro")
	j.SetVariable("WHERE", allowed+"/data")
	j.AddAfterScript("cat /one/new")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "Mounting "+allowed+"/data at /one (rw), requested by USER_VOLUMES", "Mounting "+allowed+"/data at /two (ro), requested by USER_VOLUMES_1",
		"shared data\nshared data\nshared data\n", "two is read-only", "written by the job")
	if text, err := os.ReadFile(filepath.Join(allowed, "data", "new")); err != nil || string(text) != "written by the job\n" {
		t.Errorf("the host's file has %q (%v)", text, err)
	}
}

func TestVolumesRefused(t *testing.T) {
	t.Parallel()
	allowed, secret := shared(t)
	m := start(t, volumePolicy(allowed))
	for _, row := range []struct{ name, value, want string }{
		{"source", secret + ":/x", "no entry of volume_allow_list matches"},
		{"source by ..", allowed + "/../secret:/x", "no entry of volume_allow_list matches"},
		{"source by link", allowed + "/to-secret:/x", "no entry of volume_allow_list matches"},
		{"source by link in the middle", allowed + "/up/secret:/x", "no entry of volume_allow_list matches"},
		{"the host", "/:/x", "can never be mounted"},
		{"source that is not there", allowed + "/nowhere:/x", "does not exist"},
		{"named volume", "somebody-elses:/x", "absolute path on the host"},
		{"builds", allowed + "/data:/builds", "conflicts with /builds"},
		{"below the cache", allowed + "/data:/cache/x", "conflicts with /cache"},
		{"above the script", allowed + "/data:/run", "conflicts with /run/podman-executor"},
		{"root", allowed + "/data:/", "the container's root"},
		{"unclean", allowed + "/data:/mnt/../etc", "clean absolute path"},
		{"option", allowed + "/data:/x:O,upperdir=" + secret, "mount option \"O\" is not allowed"},
		{"option U", allowed + "/data:/x:U", "mount option \"U\" is not allowed"},
		{"three colons", allowed + "/data:/x:ro:rw", "want SRC:DST"},
	} {
		run := m.run(volumes(job("refused: "+row.name, "cat /x/file"), row.value))
		refused(t, run, row.want)
		lacks(t, run, "top secret")
	}
}

func TestNoVolumeAllowList(t *testing.T) {
	t.Parallel()
	allowed, _ := shared(t)
	m := start(t, defaults(`user_volume_variable = "USER_VOLUMES"`))
	run := m.run(volumes(job("no list", "echo ran"), allowed+"/data:/x"))
	refused(t, run, "no volume_allow_list")
	logs(t, run, `hint: the administrator can allow it with a line such as volume_allow_list = [`)
}

func TestVolumeVariableNotSet(t *testing.T) {
	t.Parallel()
	allowed, _ := shared(t)
	m := start(t, defaults(fmt.Sprintf("volume_allow_list = [%q]", allowed+"/.*")))
	run := m.run(volumes(job("ignored", "test ! -e /x && echo nothing at /x"), allowed+"/data:/x"))
	succeeded(t, run)
	logs(t, run, "podman-executor-prepare: warning: USER_VOLUMES is ignored", "nothing at /x")
}

// The policy's own volumes: a directory of the host, and one of the project's own
// that any user of an image can write to, kept from job to job and apart for
// another project and for protected refs.
func TestVolumesOfThePolicy(t *testing.T) {
	t.Parallel()
	allowed, _ := shared(t)
	if err := os.Chmod(filepath.Join(allowed, "data", "file"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := start(t, container(fmt.Sprintf(`volumes = ["%s/data:/data:ro", "/kept"]`, allowed)))
	const remember = `cat /data/file; cat /kept/notes || echo nothing kept; date > /data/x || echo read-only; echo "from project $CI_PROJECT_ID" >> /kept/notes`
	asUser := in(userImage, job("writes", remember))
	run := m.run(asUser)
	succeeded(t, run)
	logs(t, run, "shared data", "nothing kept", "read-only")
	run = m.run(job("reads", remember))
	succeeded(t, run)
	logs(t, run, fmt.Sprintf("from project %d\n", asUser.Info.ProjectID))
	protected := job("protected", remember)
	protected.Git.Protected = new(true)
	other := job("other project", remember)
	other.Info.ProjectID++
	for _, j := range []gitlab.Job{protected, other} {
		run = m.run(j)
		succeeded(t, run)
		logs(t, run, "nothing kept")
	}
}

// A job that can write above one of its volumes puts a link in that volume's place.
// The container is started again for after_script, and has what was checked.
func TestVolumeReplacedByItsJob(t *testing.T) {
	t.Parallel()
	allowed, secret := shared(t)
	chmodAll(t, allowed, secret)
	m := start(t, defaults(`user_volume_variable = "USER_VOLUMES"`, fmt.Sprintf("volume_allow_list = [%q]", allowed+"(/.*)?")))
	j := volumes(job("replaces", "cat /d/file",
		"mv /all/data /all/moved && ln -s "+secret+" /all/data && echo replaced"),
		allowed+":/all", allowed+"/data:/d")
	j.AddAfterScript("echo after: $(cat /d/file)", "ls /all/data/ || echo the link leads nowhere here")
	run := m.run(j)
	succeeded(t, run)
	logs(t, run, "shared data", "replaced", "after: shared data")
	lacks(t, run, "top secret")
	// The link is not what is allowed.
	run = m.run(volumes(job("asks for the link", "cat /d/file"), allowed+"/data:/d"))
	refused(t, run, "no entry of volume_allow_list matches the source")
}

// Somebody replaces a volume by a link, and back, all the time. A job has the
// volume, or is refused, and never has what the link leads to.
func TestVolumeReplacedAllTheTime(t *testing.T) {
	t.Parallel()
	allowed, secret := shared(t)
	chmodAll(t, allowed, secret)
	data, moved := filepath.Join(allowed, "data"), filepath.Join(allowed, "moved")
	m := start(t, volumePolicy(allowed))
	done, swapped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-done:
				swapped <- n
				return
			default:
			}
			_ = os.Rename(data, moved)
			_ = os.Symlink(secret, data)
			time.Sleep(time.Millisecond)
			_ = os.Remove(data)
			_ = os.Rename(moved, data)
			time.Sleep(4 * time.Millisecond)
		}
	}()
	had, refusals := 0, 0
	for jobs := 0; jobs < 8 || (had == 0 && jobs < 40); jobs++ {
		j := volumes(job("in the middle", "cat /d/file"), data+":/d")
		j.AddAfterScript("cat /d/file")
		run := m.run(j)
		lacks(t, run, "top secret")
		switch {
		case count(run, "shared data") == 2:
			had++
			succeeded(t, run)
		default:
			refusals++
			refused(t, run)
		}
	}
	close(done)
	if n := <-swapped; n < 100 || had == 0 {
		t.Errorf("replaced %d times; %d jobs had the volume, %d were refused", n, had, refusals)
	}
}

// chmodAll lets every user of an image read what shared has made.
func chmodAll(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.Type()&os.ModeSymlink != 0 {
				return err
			}
			return os.Chmod(path, 0o755)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
