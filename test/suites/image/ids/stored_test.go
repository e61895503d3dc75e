package ids

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	wrongOwners = `check-stored-ids: hint: stored images, containers and volumes have wrong owners, and jobs that use them fail
check-stored-ids: hint: create this container again as it was: with the former --userns, --uidmap and --gidmap, or, if the ranges in /etc/subuid and /etc/subgid on the host have changed, with the former ranges and after podman system migrate there
check-stored-ids: hint: or create the storage again as well: podman rm --force pipglr, podman volume rm pipglr-storage, then the labels setupstorage and run
`
	record = "storage/podman-executor-ids"
)

// TestStored starts a container twice on the same storage, the second time with other ids.
func TestStored(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                string
		before, users, then string // then: the groups of the second start
		said                string
		kept                bool // whether the record is still that of the first start
	}{
		{name: "the same", before: rootless(65539), users: rootless(65539), then: rootless(65539), kept: true},
		{name: "more", before: rootless(65536), users: rootless(65539), then: rootless(65539)},
		{
			name: "more in a further range", before: rootless(65536),
			users: rootless(65536) + "65537 300000 3\n", then: rootless(65536) + "65537 300000 3\n",
		},
		{
			name: "the same in two ranges", before: "0 1000 1\n1 100000 65539\n",
			users: "0 1000 1\n1 100000 5000\n5001 105000 60539\n", then: rootless(65539),
		},
		{
			name: "fewer users", before: rootless(65539), users: rootless(65536), then: rootless(65539), kept: true,
			said: "check-stored-ids: warning: podman's storage was made with more ids: a job's user 65535 was 165536 outside this container, and now has none\n" + wrongOwners,
		},
		{
			name: "groups elsewhere", before: rootless(65539), users: rootless(65539), then: strings.ReplaceAll(rootless(65539), "100000", "200000"), kept: true,
			said: "check-stored-ids: warning: podman's storage was made with other ids: a job's group 1 was 100000 outside this container, and is 200000 now\n" + wrongOwners,
		},
		{
			name: "a second range elsewhere", before: rootless(65539), then: rootless(65539), kept: true,
			users: "0 1000 1\n1 100000 5000\n5001 300000 60539\n",
			said:  "check-stored-ids: warning: podman's storage was made with other ids: a job's user 4999 was 105000 outside this container, and is 300000 now\n" + wrongOwners,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, test.before, test.before)
			c.start("")
			first := c.read(record)
			c.write("proc/uid_map", test.users)
			c.write("proc/gid_map", test.then)
			for range 2 { // a warning comes back
				c.start(test.said)
			}
			want := c.read("run/podman-executor-ids")
			if test.kept {
				want = first
			}
			if d := cmp.Diff(want, c.read(record)); d != "" {
				t.Errorf("the record: -want +got:\n%s", d)
			}
			if d := cmp.Diff([]string{"podman-executor-ids"}, c.names("storage")); d != "" {
				t.Errorf("the storage: -want +got:\n%s", d)
			}
		})
	}
}

// TestHostileRecord has a record that podman's user, and so a job that broke out, could have written.
func TestHostileRecord(t *testing.T) {
	t.Parallel()
	c := newContainer(t, rootless(65539), rootless(65539))
	c.start("")
	c.write(record, "user a[$(touch "+c.path("ran")+")] 1 1\nuser 08 1 1\nuser 1 99999999999999999999 1\n"+strings.Repeat("x", 1<<20)+"\n")
	c.start("")
	if _, err := os.Stat(c.path("ran")); err == nil {
		t.Error("a command of the record was run")
	}
	if d := cmp.Diff(c.read("run/podman-executor-ids"), c.read(record)); d != "" {
		t.Errorf("the record: -want +got:\n%s", d)
	}
}

// TestStorageNotWritable has a file where the storage should be: tests may run as root, whom no mode stops.
func TestStorageNotWritable(t *testing.T) {
	t.Parallel()
	c := newContainer(t, rootless(65539), rootless(65539))
	c.write("storage", "")
	c.fit()
	status, said := c.run("check-stored-ids", c.path("run/podman-executor-ids"), c.path(record))
	_, said, _ = strings.Cut(said, "\n") // what mkdir says
	want := `check-stored-ids: error: podman cannot write to its storage, DIR/storage
check-stored-ids: hint: create its volume with the label setupstorage; if that was done, the ranges of /etc/subuid on the host have changed since: restore them, or remove the volume and create it again
`
	if d := cmp.Diff(want, said); status != 1 || d != "" {
		t.Errorf("status %d; -want +got:\n%s", status, d)
	}
}

// start runs both programs, as the start of a container does.
func (c container) start(want string) {
	c.t.Helper()
	c.fit()
	status, said := c.run("check-stored-ids", c.path("run/podman-executor-ids"), c.path(record))
	if d := cmp.Diff(want, said); status != 0 || d != "" {
		c.t.Fatalf("status %d; -want +got:\n%s", status, d)
	}
}
