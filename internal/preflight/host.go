package preflight

// Host runs the checks that only read files of the machine, none of which takes a
// millisecond. getenv is of podman's environment. They say nothing of a podman
// service, which has a user, and maybe a machine, of its own.
func Host(getenv func(string) string, u User) []Result {
	storage := ReadStorage(getenv)
	results := []Result{
		RuntimeDir(getenv("XDG_RUNTIME_DIR"), u),
		ReadSubIDs(u, storage.IgnoreChownErrors).Check(),
	}
	if storage.Driver != "" {
		results = append(results, Driver(storage.Driver))
	}
	return results
}
