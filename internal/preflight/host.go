package preflight

// Host runs the checks that only read files of the machine, each in less than a
// millisecond. getenv returns variables of podman's environment. They do not check a podman
// service, which has its own user and maybe its own machine.
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
