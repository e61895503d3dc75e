package preflight

import "os"

// Host runs the checks that only read files of the machine, each in less than a
// millisecond. getenv returns variables of podman's environment. They do not check a podman
// service, which has its own user and maybe its own machine.
func Host(getenv func(string) string, u User) []Result {
	storage, runtimeDir := ReadStorage(getenv), getenv("XDG_RUNTIME_DIR")
	results := []Result{
		runtime(runtimeDir, u),
		ReadSubIDs(u, storage.IgnoreChownErrors).Check(),
	}
	add := func(r Result, found bool) {
		if found {
			results = append(results, r)
		}
	}
	add(Home(getenv("HOME"), passwdHome(u), u))
	if u.UID != 0 && !storage.IgnoreChownErrors {
		status, _ := os.ReadFile("/proc/self/status")
		add(NoNewPrivileges(string(status), paused(runtimeDir)))
	}
	keys, _ := os.ReadFile("/proc/key-users")
	add(Keys(string(keys), u))
	add(TempDir(getenv("TMPDIR")))
	add(PullPolicy(getenv("HOME"), "/etc/containers/policy.json"))
	if storage.Driver != "" {
		add(Driver(storage.Driver), true)
	}
	return results
}

// runtime checks the runtime directory, and then whether it has room.
func runtime(dir string, u User) Result {
	r := RuntimeDir(dir, u)
	if r.Level != OK || dir == "" {
		return r
	}
	room, err := ReadRoom(dir)
	if err != nil {
		return r
	}
	return RuntimeRoom(dir, room)
}
