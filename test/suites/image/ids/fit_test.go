package ids

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const programs = "../../../../image/rootfs/usr/libexec/podman-executor-image/"

// rootless is the map of a rootless container whose user has a number of ids.
func rootless(count int) string {
	return fmt.Sprintf("         0       1000          1\n         1     100000 %10d\n", count)
}

// The hints that warnings and errors end with.
const migrate = "fit-ids: hint: then run podman system migrate there, as that user, and create this container again\n"

func more(files string, count int) string {
	return fmt.Sprintf("fit-ids: hint: on the host, give the user who runs this container more ids in %s, at least %d: a longer range that begins where it does now, "+
		"such as NAME:100000:65539, or, if the ids after it belong to another user, another line\n", files, count)
}

func enough(file string) string {
	return "fit-ids: hint: on the host, give the user who runs this container 65539 ids in " + file + ", such as NAME:100000:65539, and use no --userns, --uidmap or --gidmap\n"
}

const (
	files  = "/etc/subuid and /etc/subgid"
	rare   = "fit-ids: hint: an image with files of a missing id cannot be pulled, and no process can have one; few images use it\n"
	nobody = "fit-ids: hint: an image with files of a missing id cannot be pulled, and no process can have one; " +
		"65534 is Debian's and Ubuntu's nobody and nogroup: apt-get fails with \"setgroups 65534 failed\"\n"
)

var containers = []struct {
	name           string
	users, groups  string // the maps; as the users' where empty
	subuid, subgid string // what becomes of the files; as subuid where empty
	status         int
	said           string
}{
	{
		name: "65539 ids", users: rootless(65539),
		subuid: "podman:1:999\npodman:1002:64538\n",
	},
	{
		name: "65537 ids", users: rootless(65537),
		subuid: "podman:1:999\npodman:1002:64536\n",
	},
	{
		name: "65536 ids", users: rootless(65536),
		subuid: "podman:1:999\npodman:1002:64535\n",
		said:   "fit-ids: warning: jobs have the user and group ids 0 to 65534; 65535 is missing\n" + rare + more(files, 1) + migrate,
	},
	{
		name: "65535 ids", users: rootless(65535),
		subuid: "podman:1:999\npodman:1002:64534\n",
		said:   "fit-ids: warning: jobs have the user and group ids 0 to 65533; 65534 to 65535 are missing\n" + nobody + more(files, 2) + migrate,
	},
	{
		name: "just enough", users: rootless(1002),
		subuid: "podman:1:999\npodman:1002:1\n",
		said:   "fit-ids: warning: jobs have the user and group ids 0 to 1000; 1001 to 65535 are missing\n" + nobody + more(files, 64535) + migrate,
	},
	{
		name: "one too few", users: rootless(1001), status: 1,
		said: "fit-ids: error: PROC/uid_map has 3 of the ids 0 1000 1001, and 999 for jobs: want all of these, and at least 1000 for jobs\n" + enough("/etc/subuid") + migrate,
	},
	{
		name: "1000 ids", users: rootless(1000), status: 1,
		said: "fit-ids: error: PROC/uid_map has 2 of the ids 0 1000 1001, and 999 for jobs: want all of these, and at least 1000 for jobs\n" + enough("/etc/subuid") + migrate,
	},
	{
		name: "no ids but the user's own", users: "0 1000 1\n", status: 1,
		said: "fit-ids: error: PROC/uid_map has 1 of the ids 0 1000 1001, and 0 for jobs: want all of these, and at least 1000 for jobs\n" + enough("/etc/subuid") + migrate,
	},
	{
		name: "many ids, but not the runner's", users: "0 1000 1\n1 100000 1000\n2000 200000 70000\n", status: 1,
		said: "fit-ids: error: PROC/uid_map has 2 of the ids 0 1000 1001, and 70999 for jobs: want all of these, and at least 1000 for jobs\n" + enough("/etc/subuid") + migrate,
	},
	{
		name: "few groups", users: rootless(65539), groups: rootless(500), status: 1,
		said: "fit-ids: error: PROC/gid_map has 1 of the ids 0 1000 1001, and 500 for jobs: want all of these, and at least 1000 for jobs\n" + enough("/etc/subgid") + migrate,
	},
	{
		name: "gaps", users: "0 1000 1\n1 100000 1500\n3000 200000 70000\n",
		subuid: "podman:1:999\npodman:1002:499\npodman:3000:70000\n",
	},
	{
		// The kernel would refuse a range that spans two of them.
		name: "ranges side by side", users: "0 1000 1\n1 100000 65536\n65537 300000 3\n",
		subuid: "podman:1:999\npodman:1002:64535\npodman:65537:3\n",
	},
	{
		name: "ranges out of order", users: "1001 300000 66000\n500 200000 501\n0 100000 500\n",
		subuid: "podman:1:499\npodman:500:500\npodman:1002:65999\n",
	},
	{
		name: "fewer groups than users", users: rootless(65537), groups: rootless(65000),
		subuid: "podman:1:999\npodman:1002:64536\n", subgid: "podman:1:999\npodman:1002:63999\n",
		said: "fit-ids: warning: jobs have the group ids 0 to 64998; 64999 to 65535 are missing\n" + nobody + more("/etc/subgid", 537) + migrate,
	},
	{
		name: "fewer users than groups, and both too few", users: rootless(64000), groups: rootless(65536),
		subuid: "podman:1:999\npodman:1002:62999\n", subgid: "podman:1:999\npodman:1002:64535\n",
		said: "fit-ids: warning: jobs have the user ids 0 to 63998; 63999 to 65535 are missing\n" + nobody + more("/etc/subuid", 1537) + migrate +
			"fit-ids: warning: jobs have the group ids 0 to 65534; 65535 is missing\n" + rare + more("/etc/subgid", 1) + migrate,
	},
	{
		name: "without a user namespace", users: "         0          0 4294967295\n",
		subuid: "podman:1:999\npodman:1002:4294966293\n",
	},
	{
		name: "not a map", users: "0 1000 one\n", status: 1,
		said: "fit-ids: error: PROC/uid_map has the line \"0 1000 one\": want three numbers\n",
	},
}

func TestFit(t *testing.T) {
	t.Parallel()
	const before = "podman:100000:65536\nrunner:165536:65536\n"
	for _, test := range containers {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.groups == "" {
				test.groups = test.users
			}
			if test.subgid == "" {
				test.subgid = test.subuid
			}
			if test.status != 0 { // the files stay as they were
				test.subuid, test.subgid = before, before
			}
			c := newContainer(t, test.users, test.groups)
			c.write("etc/subuid", before)
			c.write("etc/subgid", before)
			status, said := c.fit()
			got := []any{status, said, c.read("etc/subuid"), c.read("etc/subgid"), c.names("etc")}
			want := []any{test.status, test.said, test.subuid, test.subgid, []string{"subgid", "subuid"}}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestFitAgain wants a second start to change nothing, and newuidmap, which runs as podman, to be able to read the files.
func TestFitAgain(t *testing.T) {
	t.Parallel()
	c := newContainer(t, rootless(65539), rootless(65539))
	var first []os.FileInfo
	for range 2 {
		if status, said := c.fit(); status != 0 || said != "" {
			t.Fatalf("status %d, said %q", status, said)
		}
		for i, name := range []string{"etc/subuid", "etc/subgid", "run/podman-executor-ids"} {
			info, err := os.Stat(c.path(name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o644 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			if len(first) <= i {
				first = append(first, info)
			} else if !os.SameFile(first[i], info) {
				t.Errorf("%s was written again", name)
			}
		}
	}
}

// container has the files that the programs read and write.
type container struct {
	t   *testing.T
	dir string
}

func newContainer(t *testing.T, users, groups string) container {
	c := container{t, t.TempDir()}
	for _, dir := range []string{"proc", "etc", "run"} {
		if err := os.Mkdir(c.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.write("proc/uid_map", users)
	c.write("proc/gid_map", groups)
	return c
}

func (c container) path(name string) string { return filepath.Join(c.dir, name) }

func (c container) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c container) read(name string) string {
	c.t.Helper()
	content, err := os.ReadFile(c.path(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(content)
}

func (c container) names(dir string) []string {
	c.t.Helper()
	entries, err := os.ReadDir(c.path(dir))
	if err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// fit runs fit-ids, and returns what it said with PROC for its first directory.
func (c container) fit() (int, string) {
	return c.run("fit-ids", c.path("proc"), c.path("etc"), c.path("run"))
}

func (c container) run(name string, args ...string) (int, string) {
	cmd := exec.Command(programs+name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), strings.NewReplacer(c.path("proc"), "PROC", c.dir, "DIR").Replace(string(said))
}
